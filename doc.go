// Package latchkey is an authentication layer for a house: users, groups, credentials, second factors, sign-in
// flows, refresh tokens and access tokens, with the semantics of Home Assistant's own.
//
// A [Manager] is made over a [Store], with the [Provider]s that check who somebody is. Everything it hands out is a
// snapshot that the caller may keep; only the store changes anything, one durable transaction at a time.
//
// This package knows nothing of HTTP, SQL or files. Package server puts it on the wire, the packages under store keep
// its data, and the packages under provider sign people in.
package latchkey
