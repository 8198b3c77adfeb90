package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway"
)

// openGateway opens the way to the models of the trials that are to run; nil if
// none has one. Keys that are missing, or that cannot be kept secret, are told before
// anything starts.
func (a *app) openGateway(w *work, p *engine.Plan) (*gateway.Gateway, error) {
	var providers []*engine.Provider
	var found engine.Diagnostics
	for _, s := range p.Steps {
		run, ok := s.(*engine.RunStep)
		if !ok || run.Trials[0].Model == nil {
			continue
		}
		m := run.Trials[0].Model
		if slices.Contains(providers, m.Provider) {
			continue
		}
		providers = append(providers, m.Provider)
		found = append(found, missingSecrets(w, m)...)
	}
	if err := a.show(w.sources, found); err != nil || len(providers) == 0 {
		return nil, err
	}
	g, err := gateway.New(providers, gateway.Options{Root: p.Suite.Root, Secret: func(s *engine.Secret) (string, error) { return secretValue(p.Suite, s) }})
	if err != nil {
		return nil, &exitError{exitUsage, err.Error()}
	}
	return g, nil
}

// missingSecrets reports the secrets that a provider needs and that are not there.
func missingSecrets(w *work, m *engine.Model) (out engine.Diagnostics) {
	p := m.Provider
	if p.Mode != engine.ModeLive && p.Mode != engine.ModeRecord {
		return nil
	}
	needed := []*engine.Secret{p.APIKey}
	for _, h := range p.Headers {
		needed = append(needed, h.Secret)
	}
	for _, s := range needed {
		if s == nil {
			continue
		}
		if _, err := secretValue(w.plan.Suite, s); err != nil {
			at := s.Pos
			if at.File == "" {
				at = m.Pos
			}
			out = append(out, engine.Diagnostic{
				Severity: engine.SeverityError, Subject: at.Range(), Summary: fmt.Sprintf("the secret %q is not there", s.Name),
				Detail: fmt.Sprintf("Model %q is asked at provider %q, which needs it: %s.", m.Name, p.Name, err),
			})
		}
	}
	return out
}

// secretValue reads a secret; "" is one that is optional and not there.
func secretValue(suite *engine.Suite, s *engine.Secret) (string, error) {
	value, where := "", ""
	if s.Env != "" {
		value, where = os.Getenv(s.Env), "set the environment variable "+s.Env
	} else {
		text, err := os.ReadFile(inRoot(suite, s.File))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		value, where = string(text), "write it into the file "+s.File
	}
	if value = strings.TrimSpace(value); value == "" && !s.Optional {
		return "", errors.New(where)
	}
	return value, nil
}
