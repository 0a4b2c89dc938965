// A program that holds some memory and throws away some more, and says how it fares.
//
// Arguments: MiB to hold, MiB to throw away, milliseconds between two lines of output.
// Each line: milliseconds since the start, MiB on the heap, MiB from the system, collections.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

const mib = 1 << 20

var kept [][]byte

// fill touches every page, so that the memory is really there.
func fill(size int) []byte {
	block := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		block[i] = 1
	}
	return block
}

func main() {
	hold, _ := strconv.Atoi(os.Args[1])
	waste, _ := strconv.Atoi(os.Args[2])
	every, _ := strconv.Atoi(os.Args[3])
	began := time.Now()
	said := began
	say := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(time.Since(began).Milliseconds(), m.HeapAlloc/mib, (m.Sys-m.HeapReleased)/mib, m.NumGC)
		said = time.Now()
	}
	say()
	for i := range hold + waste {
		if block := fill(mib); i < hold {
			kept = append(kept, block)
		}
		if time.Since(said) > time.Duration(every)*time.Millisecond {
			say()
		}
	}
	say()
	runtime.KeepAlive(kept)
}
