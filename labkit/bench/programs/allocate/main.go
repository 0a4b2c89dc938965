// The program keeps some memory, discards some more, and prints the state of its memory.
//
// Arguments: MiB to keep (live), MiB to discard (garbage), milliseconds between two lines.
// A line: milliseconds since the start, MiB on the heap, MiB from the system, collections.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

const mib = 1 << 20

var retained [][]byte

// allocate writes to every page of a block: the kernel provides a page at the first write.
func allocate(size int) []byte {
	block := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		block[i] = 1
	}
	return block
}

func main() {
	live, _ := strconv.Atoi(os.Args[1])
	garbage, _ := strconv.Atoi(os.Args[2])
	interval, _ := strconv.Atoi(os.Args[3])
	start := time.Now()
	lastReport := start
	report := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(time.Since(start).Milliseconds(), m.HeapAlloc/mib, (m.Sys-m.HeapReleased)/mib, m.NumGC)
		lastReport = time.Now()
	}
	report()
	for i := range live + garbage {
		if block := allocate(mib); i < live {
			retained = append(retained, block)
		}
		if time.Since(lastReport) > time.Duration(interval)*time.Millisecond {
			report()
		}
	}
	report()
	runtime.KeepAlive(retained)
}
