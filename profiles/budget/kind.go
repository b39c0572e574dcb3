package budget

import (
	"regexp"

	"ingot/profiles/stacks"
)

var (
	kernel  = regexp.MustCompile(`^(internal/runtime/syscall|syscall|golang\.org/x/sys)[/.]|^runtime\.(epollwait|kevent|read|write1|madvise|mmap|munmap|usleep|osyield|tgkill)`)
	copying = regexp.MustCompile(`^runtime\.(memmove|memclrNoHeapPointers|memclrHasPointers|duffcopy|duffzero|typedmemmove)`)
	memory  = regexp.MustCompile(`^runtime\.(mallocgc|newobject|growslice|makeslice|gcAssist|\(\*m?cache\)|\(\*mcentral\)|\(\*mheap\)|makemap|rawbyteslice|rawstring|concatstring|slicebytetostring|stringtoslicebyte)`)
	waking  = regexp.MustCompile(`^runtime\.(gopark|goready|ready|chansend|chanrecv|selectgo|semacquire|semrelease|lock|unlock|futex|wakep|startm|notewakeup|runqput|newproc|resetspinning|pthread_cond)|^(internal/)?sync\.\(\*(RW)?Mutex\)|^sync\.\(\*(WaitGroup|Cond)\)`)
)

// KindOf judges the end of a stack: the runtime's functions there and what they
// were called for.
func KindOf(s stacks.Stack) Kind {
	for i := len(s.Frames) - 1; i >= 0; i-- {
		name := s.Frames[i].Function
		switch {
		case waking.MatchString(name):
			return Waking
		case memory.MatchString(name):
			return Memory
		case stacks.Package(name) != "runtime" && !kernel.MatchString(name):
			return byLeaf(s.Leaf().Function)
		}
	}
	return byLeaf(s.Leaf().Function)
}

func byLeaf(function string) Kind {
	switch {
	case kernel.MatchString(function):
		return Kernel
	case copying.MatchString(function):
		return Copying
	}
	return Code
}
