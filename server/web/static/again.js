// Some things take a fresh sign-in, which leads back to this page.
import { root } from "./oauth.js";
import { authorizeAddress, begin, pathOf } from "./session.js";

document.getElementById("again").addEventListener("click", async () => {
  location.assign(authorizeAddress(root, await begin({ next: pathOf(location.href) })));
});
