package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown below the usage.
func (completionCommand) Help() string {
	return `Put into ~/.bashrc: source <(latchkey completion bash)

Put into ~/.zshrc, behind compinit: source <(latchkey completion zsh)

Put into ~/.config/fish/config.fish: latchkey completion fish | source`
}

// Run prints the script.
func (c *completionCommand) Run(p *program) error {
	places := completionPlaces(p.model)
	script := map[string]func([]completionPlace) string{
		"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion,
	}[c.Shell]
	_, err := io.WriteString(p.stdout, script(places))
	return err
}

// completionPlace is a place on a command line: behind a command, or behind the name of the program.
type completionPlace struct {
	// path is the words of the command, each with a blank before it; empty for the program itself.
	path     string
	commands []completionWord
	flags    []completionFlag
	words    []string // what an argument may be, if it is one of a few words
}

type completionWord struct{ name, help string }

type completionFlag struct {
	name, help string   // the name without dashes
	short      string   // a letter, or nothing
	isSwitch   bool     // takes no value
	isFile     bool     // takes the path of a file
	words      []string // what the value may be, if it is one of a few words
}

// completionPlaces are all places of the command line, from the model that it is parsed by.
func completionPlaces(app *kong.Application) []completionPlace {
	var places []completionPlace
	var walk func(n *kong.Node, path string)
	walk = func(n *kong.Node, path string) {
		place := completionPlace{path: path}
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				place.flags = append(place.flags, completionFlags(f)...)
			}
		}
		for _, a := range n.Positional {
			if a.Enum != "" {
				place.words = append(place.words, a.EnumSlice()...)
			}
		}
		for _, child := range n.Children {
			if !child.Hidden {
				place.commands = append(place.commands, completionWord{child.Name, child.Help})
			}
		}
		places = append(places, place)
		for _, child := range n.Children {
			if !child.Hidden {
				walk(child, path+" "+child.Name)
			}
		}
	}
	walk(app.Node, "")
	return places
}

func completionFlags(f *kong.Flag) []completionFlag {
	one := completionFlag{name: f.Name, help: f.Help, isSwitch: f.IsBool(), isFile: f.PlaceHolder == "FILE"}
	if f.Short != 0 {
		one.short = string(f.Short)
	}
	if f.Enum != "" {
		one.words = f.EnumSlice()
	}
	flags := []completionFlag{one}
	if f.Tag.Negatable != "" {
		one.name, one.short = "no-"+f.Name, ""
		flags = append(flags, one)
	}
	return flags
}

// knownPaths are all paths but that of the program itself.
func knownPaths(places []completionPlace, quote func(string) string) string {
	var paths []string
	for _, place := range places[1:] {
		paths = append(paths, quote(place.path))
	}
	return strings.Join(paths, "|")
}

// single puts a text into quotation marks that a shell takes literally.
func single(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// bashCompletion works with bash from 3.2 on, which macOS has.
func bashCompletion(places []completionPlace) string {
	var b strings.Builder
	b.WriteString(`# Completion of latchkey for bash: source <(latchkey completion bash)
_latchkey() {
  local at= current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at ${COMP_WORDS[i]}" in
`)
	fmt.Fprintf(&b, "      %s) at=\"$at ${COMP_WORDS[i]}\" ;;\n", knownPaths(places, single))
	b.WriteString(`    esac
  done
  if [[ $current == "=" ]]; then
    current=
  elif [[ $before == "=" ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi
  case "$at $before" in
`)
	for _, place := range places {
		for _, f := range place.flags {
			if f.isSwitch {
				continue
			}
			answer := ":"
			if f.isFile {
				answer = `compopt -o filenames 2>/dev/null; local IFS=$'\n'; COMPREPLY=($(compgen -f -- "$current"))`
			} else if len(f.words) > 0 {
				answer = `COMPREPLY=($(compgen -W ` + single(strings.Join(f.words, " ")) + ` -- "$current"))`
			}
			fmt.Fprintf(&b, "    %s) %s; return ;;\n", single(place.path+" --"+f.name), answer)
		}
	}
	b.WriteString("  esac\n  local words= flags=\n  case \"$at\" in\n")
	for _, place := range places {
		words := append([]string{}, place.words...)
		for _, c := range place.commands {
			words = append(words, c.name)
		}
		var flags []string
		for _, f := range place.flags {
			flags = append(flags, "--"+f.name)
		}
		fmt.Fprintf(&b, "    %s) words=%s flags=%s ;;\n", single(place.path), single(strings.Join(words, " ")), single(strings.Join(flags, " ")))
	}
	b.WriteString(`  esac
  if [[ $current == -* ]]; then words=$flags; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _latchkey latchkey
`)
	return b.String()
}

func zshCompletion(places []completionPlace) string {
	var b strings.Builder
	b.WriteString(`#compdef latchkey
# Completion of latchkey for zsh: source <(latchkey completion zsh), or a file _latchkey in a folder of $fpath.
_latchkey() {
  local at= before=${words[CURRENT-1]}
  local -a commands flags values
  integer i
  for ((i = 2; i < CURRENT; i++)); do
    case "$at ${words[i]}" in
`)
	fmt.Fprintf(&b, "      (%s) at=\"$at ${words[i]}\" ;;\n", knownPaths(places, single))
	b.WriteString(`    esac
  done
  if [[ $PREFIX == --*=* ]]; then
    before=${PREFIX%%=*}
    compset -P '*='
  fi
  case "$at $before" in
`)
	for _, place := range places {
		for _, f := range place.flags {
			if f.isSwitch {
				continue
			}
			answer := "_message " + single(f.help)
			if f.isFile {
				answer = "_files"
			} else if len(f.words) > 0 {
				answer = "values=(" + strings.Join(f.words, " ") + "); _describe value values"
			}
			fmt.Fprintf(&b, "    (%s) %s; return ;;\n", single(place.path+" --"+f.name), answer)
		}
	}
	b.WriteString("  esac\n  case \"$at\" in\n")
	for _, place := range places {
		fmt.Fprintf(&b, "    (%s)\n      commands=(%s)\n      flags=(%s)\n      ;;\n",
			single(place.path), strings.Join(zshCommands(place), " "), strings.Join(zshFlags(place), " "))
	}
	b.WriteString(`  esac
  if [[ $PREFIX == -* ]]; then
    _describe -o flag flags
  else
    _describe command commands
  fi
}
if [[ $funcstack[1] == _latchkey ]]; then
  _latchkey "$@"
else
  compdef _latchkey latchkey
fi
`)
	return b.String()
}

// zshWord is a word with its help; a colon stands between the two.
func zshWord(word, help string) string {
	return single(strings.ReplaceAll(word, ":", `\:`) + ":" + help)
}

func zshCommands(place completionPlace) []string {
	var all []string
	for _, c := range place.commands {
		all = append(all, zshWord(c.name, c.help))
	}
	for _, w := range place.words {
		all = append(all, single(w))
	}
	return all
}

func zshFlags(place completionPlace) []string {
	var all []string
	for _, f := range place.flags {
		all = append(all, zshWord("--"+f.name, f.help))
	}
	return all
}

func fishCompletion(places []completionPlace) string {
	var b strings.Builder
	b.WriteString(`# Completion of latchkey for fish: latchkey completion fish | source
function __latchkey_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at $word"
`)
	var paths []string
	for _, place := range places[1:] {
		paths = append(paths, fishText(place.path))
	}
	fmt.Fprintf(&b, "            case %s\n", strings.Join(paths, " "))
	b.WriteString(`                set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c latchkey -f
`)
	for _, place := range places {
		at := "complete -c latchkey -n " + fishText("__latchkey_at "+fishText(place.path))
		for _, c := range place.commands {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", at, c.name, fishText(c.help))
		}
		if len(place.words) > 0 {
			fmt.Fprintf(&b, "%s -a %s\n", at, fishText(strings.Join(place.words, " ")))
		}
		for _, f := range place.flags {
			fmt.Fprintf(&b, "%s -l %s%s -d %s\n", at, f.name, fishValue(f), fishText(f.help))
		}
	}
	return b.String()
}

// fishValue says which value a flag takes.
func fishValue(f completionFlag) string {
	options := ""
	if f.short != "" {
		options = " -s " + f.short
	}
	switch {
	case f.isSwitch:
		return options
	case f.isFile:
		return options + " -r -F"
	case len(f.words) > 0:
		return options + " -x -a " + fishText(strings.Join(f.words, " "))
	}
	return options + " -x"
}

// fishText puts a text into quotation marks that fish takes literally.
func fishText(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
