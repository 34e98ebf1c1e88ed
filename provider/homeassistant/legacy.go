package homeassistant

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-6a977b3d/latchkey"
)

// Files of Home Assistant may hold usernames that are not in their normalised form. As long as any does, usernames are
// compared exactly, so that two people whose names differ by case alone keep apart (providers.md §3.1, the rule of
// 2024.7). That is decided here and nowhere else.

// nameRule returns how usernames are brought into the form in which they are compared.
func nameRule(ctx context.Context, r latchkey.PasswordReader) (func(string) string, error) {
	odd, err := r.UnnormalizedUsernames(ctx)
	if err != nil {
		return nil, err
	}
	if len(odd) > 0 {
		return func(name string) string { return name }, nil
	}
	return latchkey.NormalizeUsername, nil
}

// matching returns the records of a username, oldest first.
func matching(ctx context.Context, r latchkey.PasswordReader, username string) ([]latchkey.Password, error) {
	if strings.Contains(username, "\x00") || !utf8.ValidString(username) {
		return nil, nil // nobody is called that, and not every database takes the question
	}
	name, err := nameRule(ctx, r)
	if err != nil {
		return nil, err
	}
	records, err := r.Passwords(ctx, username)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(records, func(p latchkey.Password) bool { return name(p.Username) != name(username) }), nil
}

// find returns the first record of a username, or [ErrUserNotFound].
func find(ctx context.Context, r latchkey.PasswordReader, username string) (latchkey.Password, error) {
	records, err := matching(ctx, r, username)
	if err != nil {
		return latchkey.Password{}, err
	}
	if len(records) == 0 {
		return latchkey.Password{}, ErrUserNotFound
	}
	return records[0], nil
}

// RepairIssue asks the operator to rename logins. Its members are those of an issue in Home Assistant.
type RepairIssue struct {
	Domain, ID, Severity, BreaksIn string
	// Usernames lists the names, sorted and quoted, one a line.
	Usernames string
}

// RepairIssue returns the issue of usernames that are not normalised, and false when there are none.
func (p *Provider) RepairIssue(ctx context.Context) (RepairIssue, bool, error) {
	odd, err := p.store.UnnormalizedUsernames(ctx)
	if err != nil || len(odd) == 0 {
		return RepairIssue{}, false, err
	}
	lines := make([]string, len(odd))
	for i, name := range odd {
		lines[i] = `- "` + name + `"`
	}
	return RepairIssue{
		Domain: "auth", ID: "homeassistant_provider_not_normalized_usernames", Severity: "warning", BreaksIn: "2026.7.0",
		Usernames: strings.Join(lines, "\n"),
	}, true, nil
}
