package history

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgresFault tells what the server says of a statement from a server that is away.
func postgresFault(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	var e *pgconn.PgError
	if errors.As(err, &e) && !passing(e.Code) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// passing reports whether what a code says goes away by itself.
func passing(code string) bool {
	switch code[:min(2, len(code))] {
	case "08", "53", "57", "58": // connection, resources, operator's intervention, system
		return true
	}
	return code == codeReadOnly
}

// Codes of PostgreSQL.
const (
	codeReadOnly   = "25006" // a standby that has not become the primary yet
	codeNoDatabase = "3D000"
	codeMayNot     = "42501"
	classLogin     = "28"
)

// textNoTLS is the driver's, which has no value for it.
const textNoTLS = "server refused TLS connection"

// lasting returns an error that says what to do about a database that waiting does not
// help; nil if err passes.
func lasting(err error) error {
	var e *pgconn.PgError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &e) && passing(e.Code):
		return nil
	case e != nil && strings.HasPrefix(e.Code, classLogin):
		return fmt.Errorf("PostgreSQL refuses the login; check user and password in its URI, and the server's pg_hba.conf: %w", e)
	case e != nil && e.Code == codeNoDatabase:
		return fmt.Errorf("PostgreSQL has no such database; make it, or correct its name in the URI: %w", e)
	case e != nil && e.Code == codeMayNot:
		return fmt.Errorf("the user of the PostgreSQL URI needs the right to make tables, GRANT CREATE ON SCHEMA: %w", e)
	case errors.As(err, &cert) || strings.Contains(err.Error(), textNoTLS):
		return fmt.Errorf("check sslmode and certificates in the PostgreSQL URI: %w", err)
	case e == nil && errors.Is(err, ErrUnavailable):
		return nil
	}
	return err
}
