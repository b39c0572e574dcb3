package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// shape is an expression's text with its literals lifted out. Wait conditions of
// one function differ only in the values of the event that was fixed into them,
// so they share one shape and are parsed by cel-go once.
type shape struct {
	key  []byte
	lits []value
	at   []int // byte offset of each literal in the source
}

// Placeholders that stand for a literal in a shape's key; they occur in no
// expression. The kind of a literal is part of the shape because type checking
// depends on it.
const (
	holdString = '\x01'
	holdInt    = '\x02'
	holdUint   = '\x03'
	holdDouble = '\x04'
)

func (sh *shape) reset() { sh.key, sh.lits, sh.at = sh.key[:0], sh.lits[:0], sh.at[:0] }

// lift scans src. It is no CEL lexer: it needs to find simple literals reliably,
// and gives up (ok is false) on anything else: comments, raw, triple-quoted and
// byte strings, rare escapes. Those expressions are compiled each for itself.
func (sh *shape) lift(src string) (ok bool) {
	if len(src) > maxSource {
		return false
	}
	operand := false // the token before can end an operand
	index := false   // the token before is the [ of an index
	punct := 0       // the end of the punctuation before, to tell "< =" from "<="
	for i := 0; i < len(src); {
		ch := src[i]
		switch {
		case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r':
			i++
		case ch == '"' || ch == '\'':
			end, text, simple := scanString(src, i)
			if !simple || strings.HasPrefix(src[i:], `"""`) || strings.HasPrefix(src[i:], `'''`) {
				return false
			}
			if index {
				sh.key = append(sh.key, src[i:end]...)
			} else {
				sh.add(holdString, stringValue(text), i)
			}
			i, operand, index = end, true, false
		case isDigit(ch), ch == '.' && i+1 < len(src) && isDigit(src[i+1]),
			ch == '-' && !operand && i+1 < len(src) && isDigit(src[i+1]):
			end, hold, v, simple := scanNumber(src, i)
			if !simple {
				return false
			}
			if index {
				sh.key = append(sh.key, src[i:end]...)
			} else {
				sh.add(hold, v, i)
			}
			i, operand, index = end, true, false
		case isLetter(ch):
			end := i + 1
			for end < len(src) && (isLetter(src[end]) || isDigit(src[end])) {
				end++
			}
			word := src[i:end]
			if word == "matches" || end < len(src) && (src[end] == '"' || src[end] == '\'') {
				return false // its pattern is compiled with it; a prefix of a string
			}
			sh.key = append(append(sh.key, word...), ' ')
			i, operand, index = end, word != "in", false
		case ch < ' ' || ch >= 0x7f || ch == '`' || ch == '/' && strings.HasPrefix(src[i:], "//"):
			return false
		default:
			if n := len(sh.key); punct != i && n > 0 && sh.key[n-1] > ' ' && !isLetter(sh.key[n-1]) {
				sh.key = append(sh.key, ' ')
			}
			sh.key = append(sh.key, ch)
			index = ch == '[' && operand
			operand = ch == ')' || ch == ']' || ch == '}'
			i++
			punct = i
		}
	}
	return true
}

func (sh *shape) add(hold byte, v value, at int) {
	sh.key = append(sh.key, hold)
	sh.lits = append(sh.lits, v)
	sh.at = append(sh.at, at)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
}

// scanString reads a quoted literal with the escapes that are common.
func scanString(src string, i int) (end int, text string, ok bool) {
	quote := src[i]
	start := i + 1
	plain := true
	for i = start; ; i++ {
		if i >= len(src) || src[i] == '\n' || src[i] == '\r' {
			return 0, "", false
		}
		if src[i] == quote {
			break
		}
		if src[i] == '\\' {
			plain = false
			i++
		}
	}
	body := src[start:i]
	if !utf8.ValidString(body) {
		return 0, "", false
	}
	if plain {
		return i + 1, body, true
	}
	text, ok = unquote(body)
	return i + 1, text, ok
}

func unquote(body string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			b.WriteByte(body[i])
			continue
		}
		i++
		switch body[i] {
		case '"', '\'', '\\':
			b.WriteByte(body[i])
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			if i+5 > len(body) {
				return "", false
			}
			r, err := strconv.ParseUint(body[i+1:i+5], 16, 16)
			if err != nil || !utf8.ValidRune(rune(r)) {
				return "", false
			}
			b.WriteRune(rune(r))
			i += 4
		default:
			return "", false
		}
	}
	return b.String(), true
}

func scanNumber(src string, i int) (end int, hold byte, v value, ok bool) {
	start := i
	if src[i] == '-' {
		i++
	}
	digits := func() {
		for i < len(src) && isDigit(src[i]) {
			i++
		}
	}
	float := false
	digits()
	if i+1 < len(src) && src[i] == '.' && isDigit(src[i+1]) {
		float = true
		i++
		digits()
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		float = true
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		if i >= len(src) || !isDigit(src[i]) {
			return 0, 0, missing, false
		}
		digits()
	}
	text := src[start:i]
	if float {
		f, err := strconv.ParseFloat(text, 64)
		return i, holdDouble, doubleValue(f), err == nil
	}
	if i < len(src) && src[i]|0x20 == 'u' {
		u, err := strconv.ParseUint(text, 10, 64)
		return i + 1, holdUint, uintValue(u), err == nil
	}
	if i < len(src) && isLetter(src[i]) {
		return 0, 0, missing, false // hexadecimal, or an error
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return i, holdInt, intValue(n), err == nil
}
