package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

type kind uint8

const (
	// kMissing is an attribute that does not exist. It is not null: it orders
	// below everything and makes an expression false (spec 03 §20.4).
	kMissing kind = iota
	kErr
	kNull
	kBool
	kInt
	kUint
	kDouble
	kString
	kBytes
	kList
	kMap
	kTime
	kDuration
	// kRef is a CEL value that this package does not look into: a type name.
	kRef
)

var kindNames = [...]string{
	"missing", "error", "null", "bool", "int", "uint", "double", "string", "bytes",
	"list", "map", "timestamp", "duration", "type",
}

func (k kind) String() string { return kindNames[k] }

// value is one CEL value. Scalars live in num and s, so that evaluating a
// comparison does not allocate. A list or map that is still JSON has its text in
// s and a nil ref.
type value struct {
	k   kind
	num uint64
	s   string
	ref any
}

// A map literal or json_parse result; entries are few, so look-ups are linear.
type mapEntry struct{ key, val value }

var (
	missing  = value{k: kMissing}
	null     = value{k: kNull}
	vFalse   = value{k: kBool}
	vTrue    = value{k: kBool, num: 1}
	emptyMap = value{k: kMap, ref: []mapEntry(nil)}
)

func boolValue(b bool) value {
	if b {
		return vTrue
	}
	return vFalse
}
func intValue(i int64) value                { return value{k: kInt, num: uint64(i)} }
func uintValue(u uint64) value              { return value{k: kUint, num: u} }
func doubleValue(f float64) value           { return value{k: kDouble, num: math.Float64bits(f)} }
func stringValue(s string) value            { return value{k: kString, s: s} }
func timeValue(t time.Time) value           { return value{k: kTime, ref: t} }
func durationValue(d time.Duration) value   { return value{k: kDuration, num: uint64(d)} }
func listValue(vs []value) value            { return value{k: kList, ref: vs} }
func errValue(err error) value              { return value{k: kErr, ref: err} }
func errorf(format string, a ...any) value  { return errValue(fmt.Errorf(format, a...)) }
func noOverload(fn string, a ...kind) value { return errValue(&overloadError{fn, a}) }

// overloadError is formatted only when somebody reads it: a type error in a wait
// condition is normal, and costs nothing to drop.
type overloadError struct {
	fn   string
	args []kind
}

func (e *overloadError) Error() string {
	var b strings.Builder
	b.WriteString("no such overload: " + e.fn + "(")
	for i, k := range e.args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(k.String())
	}
	b.WriteString(")")
	return b.String()
}

func (v value) bool() bool         { return v.num != 0 }
func (v value) int() int64         { return int64(v.num) }
func (v value) double() float64    { return math.Float64frombits(v.num) }
func (v value) err() error         { return v.ref.(error) }
func (v value) time() time.Time    { return v.ref.(time.Time) }
func (v value) dur() time.Duration { return time.Duration(v.num) }
func (v value) isFalse() bool      { return v.k == kBool && v.num == 0 }
func (v value) isNumber() bool     { return v.k == kInt || v.k == kUint || v.k == kDouble }

// asDouble converts a number of any kind.
func (v value) asDouble() float64 {
	switch v.k {
	case kInt:
		return float64(v.int())
	case kUint:
		return float64(v.num)
	default:
		return v.double()
	}
}

// truthy is the rule for &&, || and ?: with operands that are not booleans:
// missing, error, null, false, "" and 0 are false (spec 03 §20.3).
func (v value) truthy() bool {
	switch v.k {
	case kMissing, kErr, kNull:
		return false
	case kBool, kInt, kUint:
		return v.num != 0
	case kDouble:
		return v.double() != 0
	case kString:
		return v.s != ""
	default:
		return true
	}
}

// size is the number of elements, or of code points.
func (v value) size() int {
	switch v.k {
	case kString:
		n := 0
		for range v.s {
			n++
		}
		return n
	case kBytes:
		return len(v.s)
	}
	switch r := v.ref.(type) {
	case nil:
		return countJSON(v.s)
	case []value:
		return len(r)
	case []any:
		return len(r)
	case []mapEntry:
		return len(r)
	case map[string]any:
		return len(r)
	}
	return 0
}

// elements lists a list's members, decoding one level of JSON if need be.
func (v value) elements() []value {
	switch r := v.ref.(type) {
	case nil:
		return elementsJSON(v.s)
	case []value:
		return r
	case []any:
		out := make([]value, len(r))
		for i, x := range r {
			out[i] = fromAny(x)
		}
		return out
	}
	return nil
}

// at is one member of a list; missing when out of range.
func (v value) at(i int64) value {
	switch r := v.ref.(type) {
	case nil:
		return elementJSON(v.s, i)
	case []value:
		if i >= 0 && i < int64(len(r)) {
			return r[i]
		}
	case []any:
		if i >= 0 && i < int64(len(r)) {
			return fromAny(r[i])
		}
	}
	return missing
}

// entries lists a map's members, sorted by key where the order is not that of
// the source: evaluation must be deterministic.
func (v value) entries() []mapEntry {
	switch r := v.ref.(type) {
	case nil:
		return entriesJSON(v.s)
	case []mapEntry:
		return r
	case map[string]any:
		keys := make([]string, 0, len(r))
		for k := range r {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		out := make([]mapEntry, len(keys))
		for i, k := range keys {
			out[i] = mapEntry{stringValue(k), fromAny(r[k])}
		}
		return out
	}
	return nil
}

// field is a map's member with a string key; ok tells presence.
func (v value) field(key string) (val value, ok bool) {
	switch r := v.ref.(type) {
	case nil:
		return fieldJSON(v.s, key)
	case map[string]any:
		if x, ok := r[key]; ok {
			return fromAny(x), true
		}
	case []mapEntry:
		return v.lookup(stringValue(key))
	}
	return missing, false
}

// lookup is field for keys of any type.
func (v value) lookup(key value) (val value, ok bool) {
	es, isEntries := v.ref.([]mapEntry)
	if !isEntries {
		if key.k != kString {
			return missing, false
		}
		return v.field(key.s)
	}
	for i := range es {
		if es[i].key.k == key.k && es[i].key.s == key.s && es[i].key.num == key.num {
			return es[i].val, true
		}
	}
	for i := range es {
		if key.isNumber() && es[i].key.isNumber() && compareNumbers(key, es[i].key) == 0 {
			return es[i].val, true
		}
	}
	return missing, false
}

// fromAny wraps a decoded JSON value. All numbers become doubles, as in the
// reference (spec 03 §20.1).
func fromAny(x any) value {
	switch x := x.(type) {
	case nil:
		return null
	case bool:
		return boolValue(x)
	case string:
		return stringValue(x)
	case float64:
		return doubleValue(x)
	case map[string]any:
		if x == nil {
			return null
		}
		return value{k: kMap, ref: x}
	case []any:
		return value{k: kList, ref: x}
	case json.Number:
		f, err := strconv.ParseFloat(string(x), 64)
		if err != nil && !math.IsInf(f, 0) {
			return errorf("invalid number %q", string(x))
		}
		return doubleValue(f)
	case float32:
		return doubleValue(float64(x))
	case int:
		return doubleValue(float64(x))
	case int32:
		return doubleValue(float64(x))
	case int64:
		return doubleValue(float64(x))
	case uint32:
		return doubleValue(float64(x))
	case uint64:
		return doubleValue(float64(x))
	case []byte:
		return value{k: kBytes, s: string(x)}
	default:
		return errorf("unsupported value of type %T", x)
	}
}

// toAny copies a value out as plain Go data. Missing is false, the value of an
// expression that is unknown as a whole (spec 03 §20.4); as a member it is null.
func (v value) toAny(c *ctx) (any, error) {
	if v.k == kMissing {
		return false, nil
	}
	return v.copyOut(c)
}

func (v value) copyOut(c *ctx) (any, error) {
	switch v.k {
	case kMissing, kNull:
		return nil, nil
	case kErr:
		return nil, v.err()
	case kBool:
		return v.bool(), nil
	case kInt:
		return v.int(), nil
	case kUint:
		return v.num, nil
	case kDouble:
		return v.double(), nil
	case kString:
		return strings.Clone(v.s), nil
	case kBytes:
		return []byte(v.s), nil
	case kList:
		if !c.charge(1 + len(v.s)/bytesPerCost) {
			return nil, ErrCost
		}
		es := v.elements()
		out := make([]any, len(es))
		for i, e := range es {
			x, err := e.copyOut(c)
			if err != nil {
				return nil, err
			}
			out[i] = x
		}
		return out, nil
	case kMap:
		if !c.charge(1 + len(v.s)/bytesPerCost) {
			return nil, ErrCost
		}
		es := v.entries()
		out := make(map[string]any, len(es))
		for _, e := range es {
			x, err := e.val.copyOut(c)
			if err != nil {
				return nil, err
			}
			k, _ := toText(e.key)
			out[strings.Clone(k)] = x
		}
		return out, nil
	default:
		s, _ := toText(v)
		return s, nil
	}
}

// toText is the text of a scalar as CEL's string() gives it.
func toText(v value) (string, bool) {
	switch v.k {
	case kString, kBytes:
		return v.s, true
	case kBool:
		return strconv.FormatBool(v.bool()), true
	case kInt:
		return strconv.FormatInt(v.int(), 10), true
	case kUint:
		return strconv.FormatUint(v.num, 10), true
	case kDouble:
		return fmt.Sprintf("%g", v.double()), true
	case kTime:
		return v.time().Format(time.RFC3339Nano), true
	case kDuration:
		return strconv.FormatFloat(v.dur().Seconds(), 'f', -1, 64) + "s", true
	case kRef:
		if t, ok := v.ref.(ref.Type); ok {
			return t.TypeName(), true
		}
	}
	return "", false
}

// The functions left to cel-go take no lists and maps; they only have to see that
// the type is wrong.
var (
	refList = types.DefaultTypeAdapter.NativeToValue([]any{})
	refMap  = types.DefaultTypeAdapter.NativeToValue(map[string]any{})
)

// toRef converts to cel-go's representation, for the functions that are left to
// cel-go. Of lists and maps only the type goes over.
func (v value) toRef() ref.Val {
	switch v.k {
	case kBool:
		return types.Bool(v.bool())
	case kInt:
		return types.Int(v.int())
	case kUint:
		return types.Uint(v.num)
	case kDouble:
		return types.Double(v.double())
	case kString:
		return types.String(v.s)
	case kBytes:
		return types.Bytes(v.s)
	case kList:
		return refList
	case kMap:
		return refMap
	case kTime:
		return types.Timestamp{Time: v.time()}
	case kDuration:
		return types.Duration{Duration: v.dur()}
	case kRef:
		return v.ref.(ref.Val)
	default:
		return types.NullValue
	}
}

func fromRef(r ref.Val) value {
	switch r := r.(type) {
	case types.Null:
		return null
	case types.Bool:
		return boolValue(bool(r))
	case types.Int:
		return intValue(int64(r))
	case types.Uint:
		return uintValue(uint64(r))
	case types.Double:
		return doubleValue(float64(r))
	case types.String:
		return stringValue(string(r))
	case types.Bytes:
		return value{k: kBytes, s: string(r)}
	case types.Timestamp:
		return timeValue(r.Time)
	case types.Duration:
		return durationValue(r.Duration)
	case *types.Type:
		return value{k: kRef, ref: r}
	case *types.Err:
		return errValue(r.Unwrap())
	default:
		return errorf("unsupported result of type %s", r.Type().TypeName())
	}
}

// view is b as a string without a copy; valid as long as b is not changed.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
