// Package docs holds documents about latchkey, and the tests that keep them true.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seedRow is a row of the tables in seed-map.md.
type seedRow struct{ python, name, file, test string }

func seedRows(t *testing.T) []seedRow {
	t.Helper()
	text, err := os.ReadFile("seed-map.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []seedRow
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 || !strings.Contains(cells[1], "`") {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		rows = append(rows, seedRow{python: cells[1], name: cells[2], file: cells[3], test: cells[4]})
	}
	return rows
}

// Every Go name of the map is declared in the file that the map gives, and every test exists.
func TestSeedMapIsTrue(t *testing.T) {
	rows := seedRows(t)
	if len(rows) < 90 {
		t.Fatalf("only %d rows were read", len(rows))
	}
	tests := testNames(t)
	for _, r := range rows {
		name := r.name
		if pkg, rest, ok := strings.Cut(name, "."); ok && pkg == filepath.Dir(r.file) {
			name = rest
		}
		if !declared(t, filepath.Join("..", r.file))[name] {
			t.Errorf("%s: %s is not declared in %s", r.python, r.name, r.file)
		}
		if !tests[r.test] {
			t.Errorf("%s: there is no test %s", r.python, r.test)
		}
	}
}

// declared returns what a file declares: functions, types with their fields and methods, constants.
func declared(t *testing.T, path string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			names[receiver(decl)+decl.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				declaredBySpec(spec, names)
			}
		}
	}
	return names
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if ident, ok := typ.(*ast.Ident); ok {
		return ident.Name + "."
	}
	return ""
}

func declaredBySpec(spec ast.Spec, names map[string]bool) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, n := range spec.Names {
			names[n.Name] = true
		}
	case *ast.TypeSpec:
		names[spec.Name.Name] = true
		var members *ast.FieldList
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			members = typ.Fields
		case *ast.InterfaceType:
			members = typ.Methods
		default:
			return
		}
		for _, field := range members.List {
			for _, n := range field.Names {
				names[spec.Name.Name+"."+n.Name] = true
			}
		}
	}
}

// testNames returns the names of all tests of the module, and the suites that stores have to pass.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		suite := filepath.Base(filepath.Dir(path)) == "storetest"
		if suite || strings.HasSuffix(path, "_test.go") {
			for name := range declared(t, path) {
				if suite {
					name = "storetest." + name
				}
				names[name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
