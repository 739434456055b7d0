package catalog

import (
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

var defaultOutput = &OutputSettings{
	TimeZone:         time.UTC,
	TimeZoneName:     "UTC",
	DateStyle:        "ISO",
	DateOrder:        "MDY",
	IntervalStyle:    "postgres",
	ExtraFloatDigits: 1,
	ByteaOutput:      "hex",
}

// DefaultOutput returns the settings of a new session, in UTC. The caller owns them.
func DefaultOutput() *OutputSettings {
	s := *defaultOutput
	return &s
}

// String returns s in the form that ParseOutputSettings reads: what SQL functions get as $env. Now is not part of it.
func (s *OutputSettings) String() string {
	zone := s.TimeZoneName
	if zone == "" && s.TimeZone != nil {
		zone = s.TimeZone.String()
	}
	return strings.Join([]string{zone, s.DateStyle, s.DateOrder, s.IntervalStyle, strconv.Itoa(s.ExtraFloatDigits), s.ByteaOutput}, ";")
}

// parsedSettings is the answer given last: a statement asks for the same once a row.
type parsedSettings struct {
	env string
	s   *OutputSettings
}

var lastSettings atomic.Pointer[parsedSettings]

var errSettingsForm = errors.New("catalog: malformed output settings")

// ParseOutputSettings reads what String wrote. The result is shared and read-only.
func ParseOutputSettings(env string) (*OutputSettings, error) {
	if last := lastSettings.Load(); last != nil && last.env == env {
		return last.s, nil
	}
	f := strings.Split(env, ";")
	if len(f) != 6 {
		return nil, errSettingsForm
	}
	extra, err := strconv.Atoi(f[4])
	if err != nil {
		return nil, errSettingsForm
	}
	loc, name := LookupZone(f[0])
	if loc == nil {
		return nil, errSettingsForm
	}
	s := &OutputSettings{TimeZone: loc, TimeZoneName: name, DateStyle: f[1], DateOrder: f[2], IntervalStyle: f[3], ExtraFloatDigits: extra, ByteaOutput: f[5]}
	lastSettings.Store(&parsedSettings{env: strings.Clone(env), s: s})
	return s, nil
}
