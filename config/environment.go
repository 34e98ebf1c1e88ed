package config

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/seed-6a977b3d/latchkey"
)

// EnvironmentPrefix begins the names of all variables that are read.
const EnvironmentPrefix = "LATCHKEY_"

// SealKeyVariable holds the key that seals the secrets in the store, where it is not kept in a file.
const SealKeyVariable = EnvironmentPrefix + "SEAL_KEY"

// Variable returns the name of the environment variable for a setting.
func Variable(key string) string { return EnvironmentPrefix + strings.ToUpper(key) }

// Environment overrules the configuration by the variables that lookup, such as os.LookupEnv, knows. An empty variable
// counts as not set, but an empty [SealKeyVariable] is refused: it is a key that got lost on its way.
func (c *Config) Environment(lookup func(name string) (value string, ok bool)) error {
	for _, s := range settings() {
		name := Variable(s.key)
		value, ok := lookup(name)
		if !ok || value == "" {
			continue
		}
		if err := s.set(c, value, ""); err != nil {
			return fmt.Errorf("environment variable %s: %w", name, err)
		}
		c.Note(s.key, "environment variable "+name)
	}
	value, ok := lookup(SealKeyVariable)
	if !ok {
		return nil
	}
	key, err := parseSealKey(value)
	if err != nil {
		return fmt.Errorf("environment variable %s: %w", SealKeyVariable, err)
	}
	c.SealKey = key
	c.Note(sealKey, "environment variable "+SealKeyVariable)
	return nil
}

// sealKeySize is the length of a seal key in bytes.
const sealKeySize = 32

// parseSealKey reads a key in hexadecimal or base64. Its errors never show what it was given.
func parseSealKey(text string) (latchkey.Secret, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fmt.Errorf("the variable is empty: give the key, or unset it to use the key file beside the database")
	}
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if key, err := decode(text); err == nil && len(key) == sealKeySize {
			return latchkey.Secret(key), nil
		}
	}
	return "", fmt.Errorf("not a key: it takes 32 bytes, written as 64 hexadecimal digits or as base64, "+
		"such as `openssl rand -hex %d` makes them", sealKeySize)
}
