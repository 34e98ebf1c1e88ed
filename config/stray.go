package config

import (
	"fmt"
	"slices"
	"strings"
)

// ConfigVariable names the configuration file.
const ConfigVariable = EnvironmentPrefix + "CONFIG"

// Variables returns the names of all variables of the environment that are read.
func Variables() []string {
	names := []string{ConfigVariable}
	for _, s := range settings() {
		names = append(names, Variable(s.key))
	}
	return append(names, SealKeyVariable)
}

// Stray is a variable of the environment that begins as ours do and is none of them: it sets nothing.
type Stray struct {
	Name string
	// Near is the variable that seems to be meant; empty if none is like it.
	Near string
}

// String says what is wrong. Nothing here has ever seen the value, which may be a secret.
func (s Stray) String() string {
	return fmt.Sprintf("the environment variable %s is not known, and sets nothing", s.Name)
}

// Advice says what to do about it.
func (s Stray) Advice() string {
	if s.Near != "" {
		return fmt.Sprintf("%s may be meant; otherwise unset it", s.Near)
	}
	return fmt.Sprintf("unset it; there are %s", strings.Join(Variables(), ", "))
}

// Strays finds such variables among those of an environment, such as os.Environ returns it, in the order of their names.
func Strays(environ []string) []Stray {
	known := Variables()
	var found []Stray
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(strings.ToUpper(name), EnvironmentPrefix) && !slices.Contains(known, name) && !others(name, value) {
			found = append(found, Stray{name, nearest(name, known)})
		}
	}
	slices.SortFunc(found, func(a, b Stray) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// others reports whether a variable is somebody else's: of the tests and benchmarks of this program, or what Kubernetes
// tells every program about a service with the name latchkey.
func others(name, value string) bool {
	rest := strings.TrimPrefix(name, EnvironmentPrefix)
	for _, theirs := range []string{"TEST_", "BENCH_", "SERVICE_", "PORT_"} {
		if strings.HasPrefix(rest, theirs) {
			return true
		}
	}
	return rest == "PORT" && strings.Contains(value, "://")
}

// nearest returns what a name is most like, or nothing if it is like none: a few slips away, or a part of the other.
func nearest(name string, known []string) string {
	word := strings.ToUpper(name)[len(EnvironmentPrefix):]
	near, least := "", 0
	for _, k := range known {
		other := k[len(EnvironmentPrefix):]
		slips := distance(word, other)
		within := word != "" && (strings.Contains(other, word) || strings.Contains(word, other))
		if slips > 1+len(other)/3 && !within {
			continue
		}
		if near == "" || slips < least {
			near, least = k, slips
		}
	}
	return near
}

// distance counts the slips between two words: a character missing, too much or wrong, and two that changed places.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
