package latchkey

import (
	"context"
	"time"
)

// Store keeps the domain. It is the only thing that changes anything: a change is a function over a [Tx], which is one
// transaction. Rules of the domain (who becomes owner, which names are taken) are written once, over transactions,
// and hold in every store; package store/storetest is the suite that a store has to pass.
//
// A store may be a [FarStore] and a [SweptStore] as well. What wraps one has to pass on what it is: a struct that embeds
// a Store hides both, and the manager would go on trusting its memory where the store knows better.
type Store interface {
	Reader
	// Update runs fn as one transaction, isolated from all others as if they ran one after another. When it returns nil
	// the change survives the end of the process and of the machine; when fn or the store fails nothing has changed. fn
	// may be called several times and must have no other effect. Its error is returned as it is.
	Update(ctx context.Context, fn func(Tx) error) error
	// Watch calls fn with every change after it was made, in order: with the changes of this Store before its Update
	// returns, with those of other processes within a second. fn must not block and must not use the store.
	Watch(fn func([]Change)) (stop func())
	// Close releases the store. Nothing may be called afterwards.
	Close() error
}

// FarStore is a store that others change as well, and whose word of it may fail to arrive: a line may be cut, a file be out
// of reach. The manager takes nothing from memory meanwhile.
type FarStore interface {
	// Current reports whether everything is known that others had changed a second ago. It is asked for each look-up and
	// must be quick.
	Current() bool
}

// SweptStore is a store from which several nodes would remove what has ended at the same time.
type SweptStore interface {
	// Sweep is Update, unless another node is at it: then fn is not run, which is no error. What has ended is judged by the
	// store's clock as well, so that fn may be given less than what has ended by the clock of its node.
	Sweep(ctx context.Context, fn func(Tx) error) error
}

// Reader reads what a store holds. What is asked for by its key and does not exist is [ErrNotFound].
type Reader interface {
	UserReader
	GroupReader
	RefreshTokenReader
	PasswordReader
	ModuleDataReader
	OnboardingReader
}

// UserReader reads users and their credentials.
type UserReader interface {
	User(ctx context.Context, id string) (User, error)
	// Users returns up to limit users in the order of their creation, beginning behind the user with the id after, or
	// with the first if after is empty; it is [ErrNotFound] if that user is gone. A limit below one is that of nobody, here
	// and wherever there is one, and none is too high.
	Users(ctx context.Context, after string, limit int) ([]User, error)
	// FindUsers is Users for those whose name, or the [Credentials.Subject] of one of their credentials, contains text
	// when both are normalised with [NormalizeUsername], or whose id is text. An empty text finds everybody. It may go
	// through all users.
	FindUsers(ctx context.Context, text, after string, limit int) ([]User, error)
	// Owner returns the first user with the owner flag.
	Owner(ctx context.Context) (User, error)
	// HasPeople reports whether any user is not system-generated.
	HasPeople(ctx context.Context) (bool, error)
	// HasAdminBeside reports whether anybody but the user with this id is an admin: an owner, or active and a member of
	// [GroupAdmin], and in both cases not system-generated.
	HasAdminBeside(ctx context.Context, id string) (bool, error)
	// HasAdminWithLogin reports whether anybody is an admin who can sign in: who is active and holds credentials.
	HasAdminWithLogin(ctx context.Context) (bool, error)
	// UserByCredentials returns the user that holds the credentials with this id.
	UserByCredentials(ctx context.Context, credentialsID string) (User, error)
	// CredentialsBySubject returns the credentials of a provider whose [Credentials.Subject] equals subject when both
	// are normalised with [NormalizeUsername], oldest first; none is no error.
	CredentialsBySubject(ctx context.Context, provider ProviderKey, subject string) ([]Credentials, error)
}

// GroupReader reads groups, the three built-in ones included.
type GroupReader interface {
	Group(ctx context.Context, id string) (Group, error)
	Groups(ctx context.Context) ([]Group, error)
}

// RefreshTokenReader reads refresh tokens.
type RefreshTokenReader interface {
	RefreshToken(ctx context.Context, id string) (RefreshToken, error)
	RefreshTokenBySecret(ctx context.Context, secret Secret) (RefreshToken, error)
	// RefreshTokens returns the tokens of a user in the order of their creation; none is no error.
	RefreshTokens(ctx context.Context, userID string) ([]RefreshToken, error)
	// LongLivedToken returns the user's long-lived token of this client name.
	LongLivedToken(ctx context.Context, userID, clientName string) (RefreshToken, error)
	// ExpiredRefreshTokens returns up to limit tokens that have ended at the given time, the longest ended first. A limit
	// below one is that of none.
	ExpiredRefreshTokens(ctx context.Context, at time.Time, limit int) ([]RefreshToken, error)
	// NextExpiry returns the earliest time at which a token ends, or the zero time when none does.
	NextExpiry(ctx context.Context) (time.Time, error)
}

// PasswordReader reads the built-in password store.
type PasswordReader interface {
	// Passwords returns the records whose username equals the given one when both are normalised with
	// [NormalizeUsername], oldest first; none is no error.
	Passwords(ctx context.Context, username string) ([]Password, error)
	// UnnormalizedUsernames returns, sorted, the usernames of all records that differ from their normalised form.
	UnnormalizedUsernames(ctx context.Context) ([]string, error)
}

// ModuleDataReader reads what second-factor modules keep for their users.
type ModuleDataReader interface {
	// ModuleData returns what the module keeps for the user, as the module wrote it. Stores of ours seal it.
	ModuleData(ctx context.Context, moduleID, userID string) ([]byte, error)
	// ModulesOf returns, sorted, the ids under which there is something for the user, of modules that are configured or
	// not; none is no error.
	ModulesOf(ctx context.Context, userID string) ([]string, error)
}

// OnboardingReader reads which steps of the first set-up are done.
type OnboardingReader interface {
	// OnboardingDone returns the steps that are done, in the order of their completion.
	OnboardingDone(ctx context.Context) ([]string, error)
}

// Tx is a transaction: it reads what it has written. Inserting what exists is [ErrExists], changing or deleting what
// does not is [ErrNotFound]. Each method notes the [Change]s that it makes.
type Tx interface {
	Reader

	// InsertUser adds a user together with its credentials.
	InsertUser(ctx context.Context, u User) error
	// UpdateUser changes everything but the credentials.
	UpdateUser(ctx context.Context, u User) error
	// DeleteUser deletes a user with its credentials, refresh tokens and module data.
	DeleteUser(ctx context.Context, id string) error

	// InsertGroup, UpdateGroup and DeleteGroup change the groups that are not built in; the built-in ones are ErrExists
	// or ErrNotFound to them. Deleting a group ends the memberships in it.
	InsertGroup(ctx context.Context, g Group) error
	UpdateGroup(ctx context.Context, g Group) error
	DeleteGroup(ctx context.Context, id string) error

	// InsertCredentials links credentials to the user that they name.
	InsertCredentials(ctx context.Context, c Credentials) error
	// UpdateCredentials changes the data.
	UpdateCredentials(ctx context.Context, c Credentials) error
	// DeleteCredentials deletes credentials and the refresh tokens that they led to (security.md W8).
	DeleteCredentials(ctx context.Context, id string) error

	// InsertRefreshToken adds a token. It is ErrExists, too, for a second long-lived token of the same user and name.
	InsertRefreshToken(ctx context.Context, t RefreshToken) error
	// UpdateRefreshToken changes everything but the secrets, the user and the type.
	UpdateRefreshToken(ctx context.Context, t RefreshToken) error
	DeleteRefreshToken(ctx context.Context, id string) error

	// InsertPassword adds a record. It is ErrExists for exactly the username of another record: names that differ by case
	// may stand beside each other in old files, and it is the provider that keeps new ones apart.
	InsertPassword(ctx context.Context, p Password) error
	// UpdatePassword replaces the record of exactly this username.
	UpdatePassword(ctx context.Context, username string, p Password) error
	// DeletePassword deletes the record of exactly this username.
	DeletePassword(ctx context.Context, username string) error

	// PutModuleData writes what a module keeps for a user who exists, replacing what it kept before.
	PutModuleData(ctx context.Context, moduleID, userID string, data []byte) error
	// DeleteModuleData deletes what a module keeps for a user.
	DeleteModuleData(ctx context.Context, moduleID, userID string) error

	// CompleteOnboarding marks a step as done. It is ErrExists for a step that is done already.
	CompleteOnboarding(ctx context.Context, step string) error

	// Announce adds a change that says more than which record was written: one of the events.
	Announce(c Change)
}

// ChangeKind says what a [Change] is about.
type ChangeKind string

// The kinds of changes. The first group tells what is outdated; events tell what a person did, and are announced.
const (
	// UserChanged: the user, its groups or its credentials changed, or the user is gone.
	UserChanged ChangeKind = "user"
	// GroupChanged: the group changed or is gone.
	GroupChanged ChangeKind = "group"
	// TokenChanged: the refresh token was used, or its expiry set.
	TokenChanged ChangeKind = "token"
	// TokenRemoved: the refresh token is gone.
	TokenRemoved ChangeKind = "token_removed"
	// BansChanged: an address was banned, or let in again. There is no id.
	BansChanged ChangeKind = "bans"
	// ChangesLost: anything may have changed, because changes by others could not be followed. It is told again every few
	// seconds until they can, and once more then.
	ChangesLost ChangeKind = "lost"

	// EventUserAdded, EventUserUpdated and EventUserRemoved are the events of websocket.md G-5.
	EventUserAdded   ChangeKind = "user_added"
	EventUserUpdated ChangeKind = "user_updated"
	EventUserRemoved ChangeKind = "user_removed"
)

// Change says that something in a store changed. ID is the id of the user, group or token.
type Change struct {
	Kind ChangeKind
	ID   string
}
