package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
)

// FileError says what is wrong in a configuration file, and where.
type FileError struct {
	// File is the path as it was given.
	File string
	// Line counts from 1; 0 when the trouble has no line.
	Line int
	// Key is the key whose value is meant; empty when it is none.
	Key string
	Err error
}

// Error names file, line and key before what is wrong.
func (e *FileError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	return b.String() + ": " + e.Err.Error()
}

// Unwrap returns what is wrong, without the place.
func (e *FileError) Unwrap() error { return e.Err }

// node is a value in a file, which knows its place: the key that it stands behind, which is empty for the whole file,
// and the line of that. A file without any value has a node without YAML.
type node struct {
	file string
	key  string
	line int
	yaml *yaml.Node
	// from says where the file was included; nil for the main file.
	from *inclusion
	// secret names the secret that the value is; empty if it is none.
	secret string
}

// errFolder says that a folder was named where a file is read.
var errFolder = errors.New("is a folder, and not a YAML file")

// readYAML reads a file of one document.
func readYAML(path string) (node, error) {
	n := node{file: path}
	f, err := os.Open(path)
	if err != nil {
		return n, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return n, &fs.PathError{Op: "read", Path: path, Err: errFolder}
	}
	loader, err := yaml.NewLoader(f)
	if err != nil {
		return n, n.wrap(err)
	}
	var document, more yaml.Node
	if err := loader.Load(&document); errors.Is(err, io.EOF) {
		return n, nil
	} else if err != nil {
		return n, n.syntax(err)
	}
	if err := loader.Load(&more); err == nil {
		return n, n.errorf("the file holds more than one document: remove what follows the line ---")
	} else if !errors.Is(err, io.EOF) {
		return n, n.syntax(err)
	}
	if len(document.Content) == 1 {
		n.yaml, n.line = document.Content[0], document.Content[0].Line
	}
	return n, nil
}

// syntax gives an error of the YAML reader the form of the others.
func (n node) syntax(err error) error {
	var trouble *yaml.LoadError
	if !errors.As(err, &trouble) {
		return n.wrap(err)
	}
	text := "not valid YAML: " + trouble.Message
	if trouble.ContextMsg != "" {
		text += " " + trouble.ContextMsg
	}
	return &FileError{File: n.file, Line: trouble.Mark.Line, Err: errors.New(text)}
}

// entries returns the values of a mapping in the order of the file. No value at all is an empty mapping. A key that is
// given twice is refused, since one of the two would be lost.
func (n node) entries() ([]node, error) {
	if n.yaml == nil || n.yaml.Tag == "!!null" {
		return nil, nil
	}
	if n.yaml.Kind != yaml.MappingNode {
		return nil, n.errorf("must be keys with values, such as `listen: 127.0.0.1:8123`")
	}
	if n.secret != "" {
		return nil, n.errorf("the secret %s holds keys, which belong in the configuration itself", n.secret)
	}
	var found []node
	lines := map[string]int{}
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		key := n.yaml.Content[i]
		at := n
		at.key, at.line = key.Value, key.Line
		if key.Kind != yaml.ScalarNode {
			return nil, at.errorf("the key must be a plain word")
		}
		if first := lines[key.Value]; first > 0 {
			return nil, at.errorf("given twice; the first is in line %d", first)
		}
		lines[key.Value] = key.Line
		at.yaml = n.yaml.Content[i+1]
		if at.yaml.Kind == yaml.AliasNode {
			at.yaml = at.yaml.Alias
		}
		found = append(found, at)
	}
	return found, nil
}

// text returns a value that is a text.
func (n node) text() (string, error) {
	switch {
	case n.yaml.Kind != yaml.ScalarNode:
		return "", n.errorf("must be a single text")
	case n.yaml.Tag == "!!null":
		return "", n.errorf("has no value: give one or remove the key")
	case n.yaml.Tag == "!!str":
		return n.yaml.Value, nil
	case strings.HasPrefix(n.yaml.Tag, "!!"):
		return "", n.errorf("must be a text: put it in quotation marks")
	}
	return "", n.errorf("%s is not understood here: write the value itself", n.yaml.Tag)
}

// errorf returns an error with the place of the value. Its text must not hold the value, which may be a secret.
func (n node) errorf(format string, args ...any) error {
	return &FileError{File: n.file, Line: n.line, Key: n.key, Err: fmt.Errorf(format, args...)}
}

// wrap adds the place of the value to an error. What is said about a secret is dropped: it may show it.
func (n node) wrap(err error) error {
	if n.secret != "" {
		return n.errorf("the value of %s does not belong here", n.secret)
	}
	return &FileError{File: n.file, Line: n.line, Key: n.key, Err: err}
}
