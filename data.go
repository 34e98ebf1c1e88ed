package latchkey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// ParseData reads the data of credentials as a store keeps it, which is JSON. What comes of it are the values of
// [encoding/json], but for the numbers of [DataNumber].
func ParseData(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var data map[string]any
	if err := d.Decode(&data); err != nil {
		return nil, err
	}
	whole, err := numbers(data)
	if err != nil {
		return nil, err
	}
	data, _ = whole.(map[string]any)
	return data, nil
}

// numbers replaces all numbers in a value, in place.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return DataNumber(v)
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = numbers(v[key]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// DataNumber returns a number of a provider's data: a float64, or as it is when it is a whole number that a float64 does
// not hold. It may be the id of a person, which another number would not be.
func DataNumber(n json.Number) (any, error) {
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("%s is too large a number", n)
	}
	const exact = 1 << 53
	if f < exact && f > -exact || strings.ContainsAny(n.String(), ".eE") {
		return f, nil
	}
	return n, nil
}
