package proc

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// redisTimeout bounds one question to Redis.
const redisTimeout = 5 * time.Second

// RedisSample is what a Redis has done since it began, but for UsedMemory.
type RedisSample struct {
	// Commands is their number without those of this meter's samples.
	Commands int64
	// CPU is user and system time of the server's process.
	CPU time.Duration
	// UsedMemory is what the data and its overhead take, in bytes.
	UsedMemory int64
}

// RedisMeter measures one Redis by what INFO says.
type RedisMeter struct {
	client rueidis.Client
	own    int64 // commands that Sample has sent
}

// AttachRedis connects to a Redis given as redis://, rediss:// or unix:// URL. Of ctx
// the deadline counts; without one the waits are bounded by seconds.
func AttachRedis(ctx context.Context, url string) (*RedisMeter, error) {
	o, err := rueidis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("the URL of Redis: %w", err)
	}
	// Nothing but what Sample counts may be sent later: no pings, no retries, and no
	// greeting on a second connection.
	o.Dialer.KeepAlive = -1
	o.PipelineMultiplex = -1
	o.DisableRetry = true
	o.DisableCache = true
	o.ClientSetInfo = rueidis.DisableClientSetInfo
	o.ForceSingleClient = true
	client, err := rueidis.NewClient(o)
	if err != nil {
		return nil, fmt.Errorf("connecting to Redis: %w", err)
	}
	m := &RedisMeter{client: client}
	if _, err := m.Sample(ctx); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Sample asks Redis what it has done. It is not safe for concurrent use.
func (m *RedisMeter) Sample(ctx context.Context) (RedisSample, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	text, err := m.client.Do(ctx, m.client.B().Info().Build()).ToString()
	if err != nil {
		return RedisSample{}, fmt.Errorf("INFO of Redis: %w", err)
	}
	s, err := parseInfo(text)
	if err != nil {
		return RedisSample{}, fmt.Errorf("INFO of Redis: %w", err)
	}
	s.Commands -= m.own // an INFO is counted when it has been answered
	m.own++
	return s, nil
}

// Close ends the connection.
func (m *RedisMeter) Close() { m.client.Close() }

func parseInfo(text string) (RedisSample, error) {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[key] = value
		}
	}
	var s RedisSample
	var err error
	if s.Commands, err = strconv.ParseInt(fields["total_commands_processed"], 10, 64); err != nil {
		return s, fmt.Errorf("total_commands_processed: %w", err)
	}
	if s.UsedMemory, err = strconv.ParseInt(fields["used_memory"], 10, 64); err != nil {
		return s, fmt.Errorf("used_memory: %w", err)
	}
	for _, key := range []string{"used_cpu_user", "used_cpu_sys"} {
		seconds, err := strconv.ParseFloat(fields[key], 64)
		if err != nil {
			return s, fmt.Errorf("%s: %w", key, err)
		}
		s.CPU += time.Duration(seconds * float64(time.Second))
	}
	return s, nil
}
