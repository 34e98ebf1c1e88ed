package permission_test

import (
	"fmt"
	"testing"

	"github.com/seed-6a977b3d/latchkey/permission"
)

var sizes = []int{1, 100, 10_000}

// sized is a policy that names n entities, from number first on, and a few rules beside them.
func sized(b *testing.B, first, n int) permission.Policy {
	b.Helper()
	ids := permission.Object{}
	for i := range n {
		ids[fmt.Sprintf("light.lamp_%d", first+i)] = permission.Object{permission.Read: true, permission.Control: true}
	}
	policy, err := permission.New(permission.Object{permission.Entities: permission.Object{
		permission.EntityIDs: ids,
		permission.AreaIDs:   permission.Object{"kitchen": permission.Object{permission.Read: true}},
		permission.Domains:   permission.Object{"scene": true},
		permission.All:       permission.Object{permission.Edit: true},
	}})
	if err != nil {
		b.Fatal(err)
	}
	return policy
}

func BenchmarkCheck(b *testing.B) {
	questions := []struct{ name, entityID, key string }{
		{"first rule decides", "light.lamp_0", permission.Control},
		{"area decides", "light.kitchen", permission.Read},
		{"last rule decides", "switch.garage", permission.Edit},
		{"nobody decides", "switch.garage", permission.Control},
	}
	for _, n := range sizes {
		permissions := permission.Compile(sized(b, 0, n), workedRegistry())
		for _, q := range questions {
			b.Run(fmt.Sprintf("ids=%d/%s", n, q.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					permissions.Check(q.entityID, q.key)
				}
			})
		}
	}
}

func BenchmarkAccessAll(b *testing.B) {
	permissions := permission.Compile(sized(b, 0, 100), nil)
	b.ReportAllocs()
	for b.Loop() {
		permissions.AccessAll(permission.Edit)
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range sizes {
		policy := sized(b, 0, n)
		b.Run(fmt.Sprintf("ids=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				permission.Compile(policy, nil)
			}
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	for _, n := range sizes {
		policy := sized(b, 0, n)
		half := sized(b, n/2, n) // shares half of the ids
		for _, sources := range [][]permission.Policy{
			{policy},
			{policy, half},
			{policy, half, policy, half, policy, half, policy, half, policy, half},
		} {
			b.Run(fmt.Sprintf("ids=%d/policies=%d", n, len(sources)), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := permission.Merge(sources...); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range sizes {
		text := []byte(sized(b, 0, n).String())
		b.Run(fmt.Sprintf("ids=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := permission.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
