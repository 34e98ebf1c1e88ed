package ws

import "time"

// timestamp is a time as clients read it: in UTC, with the fraction left out when there is none.
type timestamp time.Time

// MarshalText implements [encoding.TextMarshaler].
func (t timestamp) MarshalText() ([]byte, error) {
	u := time.Time(t).UTC().Truncate(time.Microsecond)
	if u.Nanosecond() == 0 {
		return u.AppendFormat(nil, "2006-01-02T15:04:05+00:00"), nil
	}
	return u.AppendFormat(nil, "2006-01-02T15:04:05.000000+00:00"), nil
}

// timeOrNull is null for the zero time.
func timeOrNull(t time.Time) *timestamp {
	if t.IsZero() {
		return nil
	}
	return (*timestamp)(&t)
}

// orNull is null for the empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
