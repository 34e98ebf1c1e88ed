package server

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/indieauth"
)

// The steps of the first set-up beside [latchkey.OnboardingUser] (onboarding.md S-1).
const (
	stepCoreConfig  = "core_config"
	stepAnalytics   = "analytics"
	stepIntegration = "integration"
)

// onboardingSteps are all steps in the order in which they are reported.
func onboardingSteps() []string {
	return []string{latchkey.OnboardingUser, stepCoreConfig, stepAnalytics, stepIntegration}
}

// openOnboarding reports whether any step is left to do. An account that was made elsewhere, on the command line say,
// counts as the first step, and is marked as that (onboarding.md S-3).
func (s *Server) openOnboarding(ctx context.Context) (bool, error) {
	done, err := s.stepsDone(ctx)
	if err != nil {
		return false, err
	}
	if slices.Contains(done, latchkey.OnboardingUser) {
		if err := s.completeStep(ctx, latchkey.OnboardingUser); err != nil && !errors.Is(err, latchkey.ErrExists) {
			return false, err
		}
	}
	return slices.ContainsFunc(onboardingSteps(), func(step string) bool { return !slices.Contains(done, step) }), nil
}

// stepsDone returns the steps that are done. The first is done as soon as there is anybody, marked or not.
func (s *Server) stepsDone(ctx context.Context) ([]string, error) {
	done, err := s.steps.OnboardingDone(ctx)
	if err != nil || slices.Contains(done, latchkey.OnboardingUser) {
		return done, err
	}
	onboarded, err := s.manager.Onboarded(ctx)
	if onboarded {
		done = append(slices.Clone(done), latchkey.OnboardingUser)
	}
	return done, err
}

// completeStep marks a step as done. It is [latchkey.ErrExists] for a step that is done already.
func (s *Server) completeStep(ctx context.Context, step string) error {
	return s.steps.Update(ctx, func(tx latchkey.Tx) error { return tx.CompleteOnboarding(ctx, step) })
}

// onboardingStatus is GET /api/onboarding (onboarding.md §3.1).
func (s *Server) onboardingStatus(r *http.Request) (reply, error) {
	done, err := s.stepsDone(r.Context())
	if err != nil {
		return reply{}, err
	}
	type entry struct {
		Step string `json:"step"`
		Done bool   `json:"done"`
	}
	var list []entry
	for _, step := range onboardingSteps() {
		list = append(list, entry{step, slices.Contains(done, step)})
	}
	return reply{json: list}, nil
}

// installationType is GET /api/onboarding/installation_type (onboarding.md §3.2).
func (s *Server) installationType(r *http.Request) (reply, error) {
	done, err := s.stepsDone(r.Context())
	if err != nil {
		return reply{}, err
	}
	if len(done) > 0 {
		return reply{}, errUnauthorized
	}
	return reply{json: map[string]string{"installation_type": "Unknown"}}, nil
}

// createOwner is POST /api/onboarding/users (onboarding.md §3.3).
func (s *Server) createOwner(r *http.Request) (reply, error) {
	in, err := readJSON(r, schema{keys: []key{
		{name: "client_id", check: isText},
		{name: "name", check: isText},
		{name: "username", check: isFilledName},
		{name: "password", check: isFilledText},
		{name: "language", check: isText},
		{name: "setup_code", optional: true, check: isText},
	}})
	if err != nil {
		return reply{}, err
	}
	ctx, clientID := r.Context(), in.text("client_id")
	if done, err := s.manager.Onboarded(ctx); err != nil {
		return reply{}, err
	} else if done {
		return reply{}, errUserStepDone
	}
	if err := s.checkSetupCode(r, in.text("setup_code")); err != nil {
		return reply{}, err
	}
	if err := indieauth.CheckClientID(clientID); err != nil {
		return reply{}, err
	}
	login, err := s.local.NewLogin(ctx, latchkey.NormalizeUsername(in.text("username")), in.text("password"))
	if err != nil {
		return reply{}, err
	}
	owner, err := s.manager.CreateUser(ctx,
		latchkey.NewUser{Name: latchkey.Text(in.text("name")), GroupIDs: []string{latchkey.GroupAdmin}},
		completeUserStep, login.GiveTo)
	if err != nil {
		return reply{}, err
	}
	s.log.Info("the first account was created: onboarding is over", "user_id", owner.ID, "from", originOf(r).Addr)
	return s.newCode(ctx, clientID, owner.Credentials[0])
}

func isFilledName(v any) string {
	if problem := isShortText(v); problem != "" {
		return problem
	}
	return isFilledText(latchkey.NormalizeUsername(v.(string)))
}

// completeUserStep marks the first step in the transaction that makes the first account. Whoever is not the owner came
// second (onboarding.md U-1).
func completeUserStep(ctx context.Context, tx latchkey.Tx, u latchkey.User) error {
	if !u.IsOwner {
		return errUserStepDone
	}
	err := tx.CompleteOnboarding(ctx, latchkey.OnboardingUser)
	if errors.Is(err, latchkey.ErrExists) {
		return errUserStepDone
	}
	return err
}

// newCode answers with a code for credentials that were just shown to be the caller's.
func (s *Server) newCode(ctx context.Context, clientID string, c latchkey.Credentials) (reply, error) {
	code, err := s.manager.CreateCode(ctx, latchkey.AuthorizationCode{
		ClientID: clientID, Purpose: latchkey.PurposeAuthorize, Credentials: c,
	})
	if err != nil {
		return reply{}, err
	}
	return reply{json: map[string]string{"auth_code": code.Reveal()}}, nil
}

// finishCoreConfig is POST /api/onboarding/core_config (onboarding.md §3.4). There is nothing to configure.
func (s *Server) finishCoreConfig(r *http.Request) (reply, error) {
	return s.finishStep(r, stepCoreConfig, "Core config")
}

// finishAnalytics is POST /api/onboarding/analytics (onboarding.md §3.5). Nothing is ever reported to anybody.
func (s *Server) finishAnalytics(r *http.Request) (reply, error) {
	return s.finishStep(r, stepAnalytics, "Analytics config")
}

func (s *Server) finishStep(r *http.Request, step, title string) (reply, error) {
	err := s.completeStep(r.Context(), step)
	if errors.Is(err, latchkey.ErrExists) {
		return reply{}, stepDone(title)
	} else if err != nil {
		return reply{}, err
	}
	return reply{json: struct{}{}}, nil
}

func stepDone(title string) error {
	return refuse(says(http.StatusForbidden, title+" step already done"))
}

// finishIntegration is POST /api/onboarding/integration (onboarding.md §3.6). The step counts as done only once nothing
// can be refused any more.
func (s *Server) finishIntegration(r *http.Request) (reply, error) {
	in, err := readJSON(r, schema{keys: []key{
		{name: "client_id", check: isText}, {name: "redirect_uri", check: isText},
	}})
	if err != nil {
		return reply{}, err
	}
	ctx, clientID, session := r.Context(), in.text("client_id"), sessionOf(r)
	done, err := s.stepsDone(ctx)
	if err != nil {
		return reply{}, err
	}
	if slices.Contains(done, stepIntegration) {
		return reply{}, stepDone("Integration")
	}
	if err := s.redirects.Check(ctx, clientID, in.text("redirect_uri"), fetchesFor(originOf(r))); err != nil {
		s.log.Warn("onboarding: the redirect URI is not the client's", "client_id", clientID, "error", err)
		return reply{}, errOnboardingRedirect
	}
	i := slices.IndexFunc(session.User.Credentials, func(c latchkey.Credentials) bool {
		return c.ID == session.Token.CredentialID
	})
	if i < 0 {
		return reply{}, errNoCallerCredentials
	}
	if _, err := s.finishStep(r, stepIntegration, "Integration"); err != nil {
		return reply{}, err
	}
	return s.newCode(ctx, clientID, session.User.Credentials[i])
}
