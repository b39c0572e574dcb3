package api

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"ingot/internal/ids"
	"ingot/internal/jwt"
	"ingot/internal/realtime"
)

// Tokens that this server hands out and reads back (spec 01 §3.8).
const (
	// devTokenSecret is the reference's secret in every mode. Here it is only dev's:
	// whoever knows it can subscribe to any channel and read any run's output.
	devTokenSecret = "dev-mode-is-not-secret"

	realtimeIssuer = "rt.inngest.com"
	runIssuer      = "api.inngest.com"
	runSubject     = "run-claim"

	realtimeTokenLife = time.Minute
	streamTokenLife   = 16 * time.Minute
	runTokenLife      = time.Hour

	// topicRun is the kind of all topics that are published to.
	topicRun = "run"
)

// topicClaim is a topic as tokens and clients spell it.
type topicClaim struct {
	Kind    string `json:"kind"`
	EnvID   string `json:"env_id"`
	Channel string `json:"channel"`
	Name    string `json:"name"`
	RunID   string `json:"run_id,omitempty"`
}

// realtimeClaims are the claims of a realtime token, in the reference's order.
type realtimeClaims struct {
	jwt.Claims
	Env     string       `json:"env"`
	Topics  []topicClaim `json:"topics"`
	Publish bool         `json:"publish"`
}

// runClaims are the claims of a token for one run's output.
type runClaims struct {
	jwt.Claims
	Env   string `json:"Env"`
	RunID string `json:"RunID"`
}

// newTokenSecret is used where no secret is configured: the known one in dev, a
// random one otherwise, with which tokens end with this process.
func newTokenSecret(m Mode) []byte {
	if m == ModeDev {
		return []byte(devTokenSecret)
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // crypto/rand.Read never fails
	return secret
}

// realtimeToken returns a token that lets its holder subscribe to topics.
func (s *Server) realtimeToken(topics []topicClaim, life time.Duration, now time.Time) (string, error) {
	return jwt.Sign(s.tokenSecret, realtimeClaims{
		Claims: jwt.Claims{
			Issuer: realtimeIssuer, Subject: ids.AccountID, ID: ids.New(now.UnixMilli()).String(),
			ExpiresAt: now.Add(life).Unix(), IssuedAt: now.Unix(),
		},
		Env:    ids.EnvID,
		Topics: topics,
	})
}

// streamToken lets a durable endpoint's client follow the rest of its response.
func (s *Server) streamToken(run string, now time.Time) (string, error) {
	topics := []topicClaim{{Kind: topicRun, EnvID: ids.EnvID, Channel: run, Name: realtime.StreamTopic}}
	return s.realtimeToken(topics, streamTokenLife, now)
}

// runToken lets its holder read one run's output.
func (s *Server) runToken(run string, now time.Time) (string, error) {
	return jwt.Sign(s.tokenSecret, runClaims{
		Claims: jwt.Claims{
			Issuer: runIssuer, Subject: runSubject, ExpiresAt: now.Add(runTokenLife).Unix(), IssuedAt: now.Unix(),
		},
		Env:   ids.EnvID,
		RunID: run,
	})
}

var errClaims = errors.New("the token is for something else")

func (s *Server) verifyRunToken(token string, now time.Time) (*runClaims, error) {
	var c runClaims
	if err := jwt.Verify(s.tokenSecret, token, &c); err != nil {
		return nil, fmt.Errorf("run token: %w", err)
	}
	if err := c.Valid(runIssuer, now); err != nil {
		return nil, fmt.Errorf("run token: %w", err)
	}
	if c.Subject != runSubject || c.Env != ids.EnvID {
		return nil, errClaims
	}
	return &c, nil
}

func (s *Server) verifyRealtimeToken(token string, now time.Time) (*realtimeClaims, error) {
	var c realtimeClaims
	if err := jwt.Verify(s.tokenSecret, token, &c); err != nil {
		return nil, fmt.Errorf("realtime token: %w", err)
	}
	if err := c.Valid(realtimeIssuer, now); err != nil {
		return nil, fmt.Errorf("realtime token: %w", err)
	}
	if c.Env != ids.EnvID {
		return nil, errClaims
	}
	return &c, nil
}

// hubTopics returns the topics of a token that can ever be published to.
func hubTopics(claims []topicClaim) []realtime.Topic {
	out := make([]realtime.Topic, 0, len(claims))
	for _, c := range claims {
		if c.Kind == topicRun {
			out = append(out, realtime.Topic{Channel: c.Channel, Name: c.Name})
		}
	}
	return out
}
