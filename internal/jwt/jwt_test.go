package jwt

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

var secret = []byte("a-secret")

type testClaims struct {
	Claims
	Env string `json:"env"`
}

func TestSignVerify(t *testing.T) {
	t.Parallel()
	in := testClaims{Claims: Claims{Issuer: "me", Subject: "you", ExpiresAt: 20, IssuedAt: 10, ID: "x"}, Env: "e"}
	token, err := Sign(secret, in)
	if err != nil {
		t.Fatal(err)
	}
	var out testClaims
	if err := Verify(secret, token, &out); err != nil {
		t.Fatal(err)
	}
	if out != in {
		t.Fatalf("read %+v, signed %+v", out, in)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"iss":"me","sub":"you","exp":20,"iat":10,"jti":"x","env":"e"}`; string(payload) != want {
		t.Fatalf("payload %s, want %s", payload, want)
	}
}

// TestVerifyForeign reads the example token of jwt.io, made by another library.
func TestVerifyForeign(t *testing.T) {
	t.Parallel()
	const token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." +
		"eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ." +
		"SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
	var c Claims
	if err := Verify([]byte("your-256-bit-secret"), token, &c); err != nil {
		t.Fatal(err)
	}
	if c.Subject != "1234567890" || c.IssuedAt != 1516239022 {
		t.Fatalf("read %+v", c)
	}
}

func TestVerifyErrors(t *testing.T) {
	t.Parallel()
	good, err := Sign(secret, Claims{Issuer: "me"})
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(good, ".")
	signed := func(header, payload string) string {
		s := b64(header) + "." + b64(payload)
		return s + "." + base64.RawURLEncoding.EncodeToString(signature(secret, s))
	}
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"empty":               {"", ErrMalformed},
		"one part":            {"abc", ErrMalformed},
		"two parts":           {part[0] + "." + part[1], ErrMalformed},
		"four parts":          {good + ".x", ErrMalformed},
		"too long":            {strings.Repeat("a", MaxLen+1), ErrMalformed},
		"alg none, unsigned":  {b64(`{"alg":"none"}`) + "." + part[1] + ".", ErrAlgorithm},
		"alg none, signed":    {signed(`{"alg":"none"}`, `{}`), ErrAlgorithm},
		"alg in other case":   {signed(`{"alg":"hs256"}`, `{}`), ErrAlgorithm},
		"alg HS512":           {signed(`{"alg":"HS512"}`, `{}`), ErrAlgorithm},
		"no alg":              {signed(`{}`, `{}`), ErrAlgorithm},
		"critical extension":  {signed(`{"alg":"HS256","crit":["b64"],"b64":false}`, `{}`), ErrMalformed},
		"header no JSON":      {signed(`{`, `{}`), ErrMalformed},
		"header no base64":    {"!!." + part[1] + "." + part[2], ErrMalformed},
		"signature empty":     {part[0] + "." + part[1] + ".", ErrSignature},
		"signature no base64": {part[0] + "." + part[1] + ".!!", ErrMalformed},
		"signature padded":    {good + "=", ErrMalformed},
		"payload changed":     {part[0] + "." + b64(`{"iss":"you"}`) + "." + part[2], ErrSignature},
		"payload no JSON":     {signed(header, `{"iss":`), ErrMalformed},
		"payload wrong type":  {signed(header, `{"iss":1}`), ErrMalformed},
		"payload no base64":   {rawSigned(encodedHeader + ".!!"), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out Claims
			if err := Verify(secret, c.token, &out); !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
		})
	}
	if err := Verify([]byte("another"), good, &Claims{}); !errors.Is(err, ErrSignature) {
		t.Fatalf("another secret: error %v", err)
	}
	if err := Verify(secret, signed(`{"typ":"JWT","alg":"HS256"}`, `{"iss":"x"}`), &Claims{}); err != nil {
		t.Fatalf("another spelling of the header: %v", err)
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	now := time.Unix(100, 0)
	for name, c := range map[string]struct {
		claims Claims
		want   error
	}{
		"in time":      {Claims{Issuer: "me", ExpiresAt: 101}, nil},
		"at its end":   {Claims{Issuer: "me", ExpiresAt: 100}, ErrExpired},
		"no end":       {Claims{Issuer: "me"}, ErrExpired},
		"other issuer": {Claims{Issuer: "you", ExpiresAt: 101}, ErrIssuer},
	} {
		if err := c.claims.Valid("me", now); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
}

func TestSignUnencodable(t *testing.T) {
	t.Parallel()
	if _, err := Sign(secret, func() {}); err == nil {
		t.Fatal("signed a function")
	}
}

func FuzzVerify(f *testing.F) {
	good, err := Sign(secret, Claims{Issuer: "me"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(b64(`{"alg":"none"}`) + "." + b64(`{}`) + ".")
	f.Fuzz(func(t *testing.T, token string) {
		var raw json.RawMessage
		if err := Verify(secret, token, &raw); err == nil && token != good {
			t.Fatalf("accepted %q", token)
		}
	})
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func rawSigned(s string) string {
	return s + "." + base64.RawURLEncoding.EncodeToString(signature(secret, s))
}
