package latchkey

import (
	"errors"
	"fmt"
)

// The kinds of refusals (manager.md). Every [*Error] wraps one of them.
var (
	// ErrValue says that an argument is not acceptable in the state that things are in.
	ErrValue = errors.New("value not acceptable")
	// ErrKey says that something named by its key does not exist.
	ErrKey = errors.New("no such key")
	// ErrState says that the operation cannot be done as the program is set up.
	ErrState = errors.New("not possible in this state")
	// ErrDenied says that the person or the address may not do this.
	ErrDenied = errors.New("denied")
)

// The errors of stores.
var (
	// ErrNotFound says that the store holds no such thing.
	ErrNotFound = errors.New("not found")
	// ErrExists says that the store holds such a thing already.
	ErrExists = errors.New("already exists")
	// ErrUnavailable says that the store cannot be reached just now. Nothing is known to have changed; try again.
	ErrUnavailable = errors.New("the store cannot be reached")
	// ErrConflict says that somebody else changed the thing meanwhile.
	ErrConflict = errors.New("changed meanwhile")
)

// Error is a refusal by the domain. Its text is exact, so that a wire can show it; its kind is found with errors.Is.
type Error struct {
	Kind error
	Text string
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Refusals that callers tell apart. Match them with errors.Is.
var (
	// ErrUserInactive: models.md §8, manager.md §6.
	ErrUserInactive = &Error{ErrValue, "User is not active"}
	// ErrOwnerDeactivated: an owner cannot be deactivated (manager.md §4).
	ErrOwnerDeactivated = &Error{ErrValue, "Unable to deactivate the owner"}
	// ErrLastAdmin: nobody would be left who can manage the house.
	ErrLastAdmin = &Error{ErrValue, "Unable to remove the last administrator"}
	// ErrLastLogin: nobody would be left who can sign in and manage the house.
	ErrLastLogin = &Error{ErrValue, "Unable to remove the last login of the last administrator"}
	// ErrCredentialsLinked: the credentials belong to another user (manager.md §4).
	ErrCredentialsLinked = &Error{ErrValue, "Credential is already linked to a user"}
	// ErrUserNotFound: nobody holds the credentials any more (manager.md §3).
	ErrUserNotFound = &Error{ErrValue, "Unable to find the user."}
	// ErrUnknownGroup: an update names a group that does not exist (manager.md §4).
	ErrUnknownGroup = &Error{ErrValue, "Invalid group specified."}
	// ErrUnknownProvider: the credentials are of a provider that is not configured (manager.md §3).
	ErrUnknownProvider = &Error{ErrState, "Credential with unknown provider encountered"}
	// ErrProviderNotFound: the manager has no provider of the kind that was asked for (providers.md §3).
	ErrProviderNotFound = &Error{ErrState, "Provider not found"}
	// ErrInvalidAccessToken: the text is not an access token that is valid here and now (manager.md §8).
	ErrInvalidAccessToken = &Error{ErrDenied, "Invalid access token"}
	// ErrSessionOver: the refresh token in a browser's cookie lets nobody in any more.
	ErrSessionOver = &Error{ErrDenied, "Session is over"}
	// ErrInvalidCode: no such authorization code for this client and purpose (http-auth.md §6).
	ErrInvalidCode = &Error{ErrDenied, "Invalid code"}
	// ErrAddressChanged: a login is continued from another address than it was started from (http-auth.md §5.4).
	ErrAddressChanged = &Error{ErrDenied, "IP address changed"}
	// ErrClientChanged: a login is continued by another client than the one that started it (security.md 31).
	ErrClientChanged = &Error{ErrDenied, "Invalid client id"}
	// ErrInvalidAuth: a provider does not know this person by what was given.
	ErrInvalidAuth = &Error{ErrDenied, "Invalid authentication"}
)

// ErrFollowing: the change belongs into the files of a Home Assistant that a store only follows.
var ErrFollowing = &Error{ErrState, "This is kept by Home Assistant, which latchkey only follows here: change it there"}

// The refusals of [User.MayAuthenticate] beside [ErrUserInactive] (models.md §8).
var (
	ErrNoRequest     = &Error{ErrDenied, "No request available to validate local access"}
	ErrLocalOnly     = &Error{ErrDenied, "User is local only"}
	ErrInvalidRemote = &Error{ErrDenied, "Invalid remote IP"}
	ErrNotLocal      = &Error{ErrDenied, "User cannot authenticate remotely"}
)

// refuse makes an Error with a text that names the case.
func refuse(kind error, format string, args ...any) error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}
