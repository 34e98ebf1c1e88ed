// Package config turns what an operator wrote, in a YAML file, in the environment and on the command line, into an
// open store, the providers and a running manager.
//
// It wires and decides nothing: it knows the names of settings and the kinds of stores, and neither the rules of users
// and tokens nor how anything is served.
package config
