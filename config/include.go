package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxIncludes is how deep files may include each other.
const maxIncludes = 10

// secretsFile holds what !secret names.
const secretsFile = "secrets.yaml"

// inclusion says where a file was included from.
type inclusion struct {
	file  string
	from  *inclusion
	depth int
}

// includedBy reports whether the file is this one or one of those that led here.
func (i *inclusion) includedBy(file string) bool {
	for ; i != nil; i = i.from {
		if filepath.Clean(i.file) == filepath.Clean(file) {
			return true
		}
	}
	return false
}

// main is the folder of the file that everything began with.
func (n node) main() string {
	file := n.file
	for i := n.from; i != nil; i = i.from {
		file = i.file
	}
	return filepath.Dir(file)
}

// resolve returns the value that a tag of Home Assistant stands for: !include, !secret or !env_var. A value without such
// a tag is itself.
func (n node) resolve() (node, error) {
	for n.yaml != nil {
		if n.yaml.Kind == yaml.AliasNode {
			n.yaml = n.yaml.Alias
			continue
		}
		follow, known := n.follower()
		if !known {
			break
		}
		if n.yaml.Kind != yaml.ScalarNode || strings.TrimSpace(n.yaml.Value) == "" {
			return n, n.errorf("%s must be followed by a name", n.yaml.Tag)
		}
		next, err := follow(strings.TrimSpace(n.yaml.Value))
		if err != nil {
			return n, err
		}
		n = next
	}
	if n.yaml != nil && !strings.HasPrefix(n.yaml.Tag, "!!") {
		return n, n.errorf("%s is not understood here: use !include, !secret, !env_var or the value itself", n.yaml.Tag)
	}
	return n, nil
}

// follower returns what finds the value of a tag. A secret cannot send elsewhere.
func (n node) follower() (func(string) (node, error), bool) {
	if n.secret != "" {
		return nil, false
	}
	switch n.yaml.Tag {
	case "!include":
		return n.include, true
	case "!secret":
		return n.lookUpSecret, true
	case "!env_var":
		return n.lookUpVariable, true
	}
	return nil, false
}

// include returns the content of another file. An empty file is an empty mapping, which is less than nothing given: a
// list that is meant to have entries must not become empty because a file did.
func (n node) include(name string) (node, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(n.file), path)
	}
	from := &inclusion{file: n.file, from: n.from, depth: 1}
	if n.from != nil {
		from.depth = n.from.depth + 1
	}
	switch {
	case from.includedBy(path):
		return n, n.errorf("%s includes itself, directly or through others", path)
	case from.depth > maxIncludes:
		return n, n.errorf("files include each other more than %d deep", maxIncludes)
	}
	content, err := readYAML(path)
	var place *fs.PathError
	if errors.As(err, &place) {
		return n, n.errorf("cannot include %s: %w", path, place.Err)
	} else if err != nil {
		return n, err
	}
	content.key, content.from = n.key, from
	if content.yaml == nil || content.yaml.Tag == "!!null" {
		content.yaml = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	return content, nil
}

// lookUpSecret finds a secret beside the file that names it, or else in the folders above, up to that of the main file.
// Outside of that folder only the first place counts.
func (n node) lookUpSecret(name string) (node, error) {
	folder, err := filepath.Abs(filepath.Dir(n.file))
	if err != nil {
		return n, n.wrap(err)
	}
	top, err := filepath.Abs(n.main())
	if err != nil {
		return n, n.wrap(err)
	}
	for {
		value, found, err := n.secretIn(filepath.Join(folder, secretsFile), name)
		if err != nil || found {
			return value, err
		}
		below, err := filepath.Rel(top, folder)
		if err != nil || below == "." || below == ".." || strings.HasPrefix(below, ".."+string(filepath.Separator)) {
			return n, n.errorf("there is no secret %s: add it to %s", name, filepath.Join(n.main(), secretsFile))
		}
		folder = filepath.Dir(folder)
	}
}

// secretIn looks a secret up in one file. A missing file knows none. Errors show the place in the file but nothing of
// what stands there.
func (n node) secretIn(path, name string) (node, bool, error) {
	secrets, err := readYAML(path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, false, nil
	}
	var wrong *FileError
	if errors.As(err, &wrong) {
		return n, false, &FileError{File: path, Line: wrong.Line, Err: errors.New("not valid YAML: write NAME: \"value\" on each line")}
	} else if err != nil {
		return n, false, n.errorf("cannot read the secrets: %w", err)
	}
	entries, err := secrets.entries()
	if errors.As(err, &wrong) {
		return n, false, &FileError{File: path, Line: wrong.Line,
			Err: errors.New("not a list of secrets: write NAME: \"value\" on each line, and each name once")}
	} else if err != nil {
		return n, false, err
	}
	for _, e := range entries {
		if e.key == name {
			n.yaml, n.secret = e.yaml, name
			return n, true, nil
		}
	}
	return n, false, nil
}

// lookUpVariable takes a value from the environment: NAME, or NAME and what it is when there is no such variable. Like
// a secret it is not shown in errors.
func (n node) lookUpVariable(text string) (node, error) {
	words := strings.Fields(text)
	value, found := os.LookupEnv(words[0])
	switch {
	case !found && len(words) == 1:
		return n, n.errorf("there is no environment variable %s", words[0])
	case !found:
		value = strings.Join(words[1:], " ")
	}
	n.secret = words[0]
	n.yaml = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.DoubleQuotedStyle}
	return n, nil
}
