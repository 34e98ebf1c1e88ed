package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ReadFile reads a key from a file that only its owner may read.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("open %s: others may read this key; take that from them with: chmod 600 %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("open %s: this is not a seal key; restore the key file or set LATCHKEY_SEAL_KEY", path)
	}
	return key, nil
}

// CreateFile writes a new key to a file and returns it; when another process has just done so, it returns that one's.
// The file is complete from the moment at which it exists, and stays after a power cut.
func CreateFile(path string) (key []byte, err error) {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".latchkey-key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	key = NewKey()
	_, err = temp.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return nil, err
	}
	err = os.Link(temp.Name(), path) // unlike a rename, fails when the file is there
	if errors.Is(err, fs.ErrExist) {
		return ReadFile(path)
	} else if err != nil {
		return nil, err
	}
	return key, syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
