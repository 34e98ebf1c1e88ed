package hassfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// formatInstant writes a time as the files have it: UTC with a numeric offset, and six digits of a second or none
// (storage.md §2.2).
func formatInstant(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format("2006-01-02T15:04:05.000000-07:00")
}

// instantOrNull is null for the zero time.
func instantOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return formatInstant(t)
}

// parseInstant reads any date-time of ISO 8601 that Home Assistant reads. Without a zone it is UTC.
func parseInstant(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text) // nearly all are in this form, for which it is quick
	if err != nil {
		at, err = parseAnyInstant(text)
	}
	// No file can hold a year that the offset has moved out of the calendar.
	if at = at.UTC().Truncate(time.Microsecond); err == nil && (at.Year() < 1 || at.Year() > 9999) {
		err = errors.New("the year is out of the calendar")
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no date and time: %w", text, err)
	}
	return at, nil
}

func parseAnyInstant(text string) (time.Time, error) {
	text = strings.Replace(text, " ", "T", 1)
	date, clock, timed := strings.Cut(text, "T")
	zone := ""
	if timed {
		if i := strings.IndexAny(clock, "Zz+-"); i >= 0 {
			clock, zone = clock[:i], clock[i:]
		}
	}
	seconds, fraction, _ := strings.Cut(strings.Replace(clock, ",", ".", 1), ".")
	if len(fraction) > 6 {
		fraction = fraction[:6] // the digits behind are cut off
	}
	day, err := firstOf(date, "2006-01-02", "20060102")
	if err != nil {
		return time.Time{}, err
	}
	if !timed {
		return day, nil
	}
	at, err := firstOf(seconds, "15:04:05", "15:04", "150405", "1504", "15")
	if err != nil {
		return time.Time{}, err
	}
	var micros int
	for i := range 6 {
		micros *= 10
		if i < len(fraction) {
			if fraction[i] < '0' || fraction[i] > '9' {
				return time.Time{}, errors.New("a digit of the fraction is none")
			}
			micros += int(fraction[i] - '0')
		}
	}
	offset, err := parseZone(zone)
	if err != nil {
		return time.Time{}, err
	}
	return time.Date(day.Year(), day.Month(), day.Day(), at.Hour(), at.Minute(), at.Second(), micros*1000, time.UTC).Add(-offset), nil
}

func parseZone(zone string) (time.Duration, error) {
	if zone == "" || zone == "Z" || zone == "z" {
		return 0, nil
	}
	at, err := firstOf(zone, "-07:00", "-0700", "-07")
	if err != nil {
		return 0, err
	}
	_, seconds := at.Zone()
	return time.Duration(seconds) * time.Second, nil
}

func firstOf(text string, forms ...string) (t time.Time, err error) {
	for _, form := range forms {
		if t, err = time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}

// unixOrNull is a time as Unix seconds; null for the zero time.
func unixOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return float(float64(t.UnixMicro()) / 1e6)
}

// fromUnix reads Unix seconds.
func fromUnix(n json.Number) (time.Time, error) {
	f, err := n.Float64()
	if err != nil {
		return time.Time{}, err
	}
	const last = 253402300800 // the end of the year 9999, behind which no date is written
	if f < 0 || f >= last {
		return time.Time{}, fmt.Errorf("%s is no time", n)
	}
	return time.UnixMicro(int64(f*1e6 + 0.5)).UTC(), nil
}
