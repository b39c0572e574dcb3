package ids

import "fmt"

// MarshalText returns the canonical form.
func (u UUID) MarshalText() ([]byte, error) { return u.Append(nil), nil }

// UnmarshalText reads the canonical form.
func (u *UUID) UnmarshalText(b []byte) error {
	parsed, ok := ParseUUID(string(b))
	if !ok {
		return fmt.Errorf("%q is not a UUID", b)
	}
	*u = parsed
	return nil
}
