package transport

import (
	"strconv"
	"testing"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://h":                               "http://h/?stepId=S",
		"http://h:80/p?stepId=old":               "http://h:80/p?stepId=S",
		"https://h/p?a=1&z=2":                    "https://h/p?a=1&stepId=S&z=2",
		"http://h/p?stepId=x&stepHe=1&stepIe=2":  "http://h/p?stepHe=1&stepId=S&stepIe=2",
		"http://h/p?b=1&b=2&a=%C3%A9+x&c#f":      "http://h/p?a=%C3%A9+x&b=1&b=2&c=&stepId=S",
		"http://h/%2f/%C3%A4":                    "http://h/%2f/%C3%A4?stepId=S",
		"http://h/ä/x y":                         "http://h/%C3%A4/x%20y?stepId=S",
		"http://[::1]:3000/api/inngest?fnId=a-b": "http://[::1]:3000/api/inngest?fnId=a-b&stepId=S",
	} {
		target, err := newTarget(raw, true)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := target.location("S"); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
	target, err := newTarget("http://h/p?x=a b", false)
	if err != nil || target.location("S") != "http://h/p?x=a%20b" {
		t.Errorf("got %v, %v", target, err)
	}
	target, err = newTarget("http://h/p", true)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(target.appendURI(nil, "a\r\nb&c")); got != "/p?stepId=a%0D%0Ab%26c" {
		t.Errorf("step id is not escaped: %s", got)
	}
}

func TestTargetCacheIsBounded(t *testing.T) {
	t.Parallel()
	var c targets
	first, err := c.get("http://h/0")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := c.get("http://h/0"); again != first {
		t.Error("the second lookup parsed again")
	}
	for i := range maxTargets + 10 {
		if _, err := c.get("http://h/" + strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.m) > maxTargets {
		t.Errorf("%d entries", len(c.m))
	}
}

func TestHeaderValues(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"plain": "plain", "a\r\nB: c": "aB: c", "tab\tok\x7f": "tab\tok", "é": "é"} {
		if got := string(appendValue(nil, s)); got != want {
			t.Errorf("%q: %q", s, got)
		}
	}
	for s, want := range map[string]bool{"GET": true, "X-A_b": true, "": false, "a b": false, "a:": false, "é": false} {
		if validToken(s) != want {
			t.Errorf("token %q: %v", s, !want)
		}
	}
}
