// Package indieauth decides whether a client may have the identity and the
// return address that it names: clients are not registered, they are URLs.
// It knows URLs, addresses and HTML links; it must not know users, login
// flows or HTTP handlers. The rules are those of indieauth.md.
package indieauth
