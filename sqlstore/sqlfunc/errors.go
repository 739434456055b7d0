package sqlfunc

import (
	"errors"

	"layercake/pgerror"
)

// withDetail adds a detail to a *pgerror.Error.
func withDetail(err error, detail string) error {
	var e *pgerror.Error
	if errors.As(err, &e) {
		return e.WithDetail("%s", detail)
	}
	return err
}

// withHint adds a hint to a *pgerror.Error.
func withHint(err error, hint string) error {
	var e *pgerror.Error
	if errors.As(err, &e) {
		return e.WithHint("%s", hint)
	}
	return err
}
