// load brings messages through a queue of anything that speaks SQS, and tells how long that took.
//
//	load -queue-url http://127.0.0.1:9400/000000000000/orders -messages 20000 [-connections 32] [-batch 1] [-size 1024]
//	     [-endpoint http://127.0.0.1:9400] [-key-id K -secret S [-region us-east-1]]
//
// Each connection sends, receives and deletes in turn until all messages are through: with -batch 1 by SendMessage,
// ReceiveMessage and DeleteMessage, else by the batch operations, up to 10 a request. Requests have the headers and the
// JSON of boto3, and with -key-id its signature. What was measured comes on standard output, as one JSON object.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"log"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Measured is what is printed.
type Measured struct {
	Messages int     `json:"messages"`
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"`
	// Milliseconds by operation: median and 99th percentile.
	Took map[string][2]float64 `json:"took_ms"`
}

func main() {
	log.SetFlags(0)
	queue := flag.String("queue-url", "", "the queue, as CreateQueue answered it")
	endpoint := flag.String("endpoint", "", "where requests go; the queue's host if it is not given")
	messages := flag.Int("messages", 20_000, "how many go through the queue")
	connections := flag.Int("connections", 32, "each has one request under way")
	batch := flag.Int("batch", 1, "messages a request")
	size := flag.Int("size", 1024, "bytes of a message")
	keyID := flag.String("key-id", "", "access key; without one nothing is signed")
	secret := flag.String("secret", "", "its secret")
	region := flag.String("region", "us-east-1", "for the signature")
	flag.Parse()

	address, err := url.Parse(*queue)
	if *endpoint != "" {
		address, err = url.Parse(*endpoint)
	}
	if err != nil || address.Host == "" || *batch < 1 || *batch > 10 {
		flag.Usage()
		os.Exit(2)
	}
	signer := &Signer{KeyID: *keyID, Secret: *secret, Region: *region, Host: address.Host}
	run := NewRun(*queue, *batch, strings.Repeat("x", *size), *messages)
	took, seconds := run.All(address.Host, signer, *connections)

	measured := Measured{Messages: *messages, Seconds: seconds, Took: map[string][2]float64{}}
	for operation, times := range took {
		slices.Sort(times)
		measured.Requests += len(times)
		measured.Took[operation] = [2]float64{milliseconds(times, 50), milliseconds(times, 99)}
	}
	if err := json.NewEncoder(os.Stdout).Encode(measured); err != nil {
		log.Fatal(err)
	}
}

// Run is one way of messages through a queue.
type Run struct {
	Queue   string
	Batch   int
	Message string

	count   int64
	sent    atomic.Int64
	deleted atomic.Int64
	// What is asked each time in the same words.
	sends, receives []byte
}

// NewRun is of so many messages, each with that body.
func NewRun(queue string, batch int, message string, count int) *Run {
	run := &Run{Queue: queue, Batch: batch, Message: message, count: int64(count)}
	run.sends = run.sending(batch)
	run.receives = encoded(map[string]any{"QueueUrl": queue, "MaxNumberOfMessages": batch, "WaitTimeSeconds": 1})
	return run
}

// All brings the messages through over so many connections: how long each request took, by operation, and all of it.
func (run *Run) All(host string, signer *Signer, connections int) (map[string][]time.Duration, float64) {
	opened := make([]*Connection, connections)
	for place := range opened {
		opened[place] = Open(host, signer)
	}
	var group sync.WaitGroup
	ended := make(chan struct{})
	began := time.Now()
	for _, connection := range opened {
		group.Add(1)
		go func() {
			defer group.Done()
			run.one(connection)
			// The others wait for messages that will not come.
			close(ended)
		}()
	}
	<-ended
	seconds := time.Since(began).Seconds()
	took := map[string][]time.Duration{}
	for _, connection := range opened {
		connection.Close()
	}
	group.Wait()
	for _, connection := range opened {
		for operation, times := range connection.Took {
			took[operation] = append(took[operation], times...)
		}
	}
	return took, seconds
}

// one brings its share through, and comes back where it deleted the last message of all.
func (run *Run) one(connection *Connection) {
	for {
		if first := run.sent.Add(int64(run.Batch)) - int64(run.Batch); first < run.count {
			run.send(connection, int(min(int64(run.Batch), run.count-first)))
		}
		receipts := run.receive(connection)
		if len(receipts) == 0 {
			continue
		}
		run.remove(connection, receipts)
		deleted := run.deleted.Add(int64(len(receipts)))
		if deleted > run.count {
			log.Fatalf("%d messages were sent, and more received", run.count)
		}
		if deleted == run.count {
			return
		}
	}
}

func (run *Run) sending(count int) []byte {
	if run.Batch == 1 {
		return encoded(map[string]string{"QueueUrl": run.Queue, "MessageBody": run.Message})
	}
	return run.entries(count, "MessageBody", func(int) string { return run.Message })
}

// entries is the input of a batch operation, each of whose parts has one member.
func (run *Run) entries(count int, member string, value func(place int) string) []byte {
	entries := make([]map[string]string, count)
	for place := range entries {
		entries[place] = map[string]string{"Id": strconv.Itoa(place), member: value(place)}
	}
	return encoded(map[string]any{"QueueUrl": run.Queue, "Entries": entries})
}

func (run *Run) send(connection *Connection, count int) {
	input := run.sends
	if count < run.Batch {
		input = run.sending(count)
	}
	if run.Batch == 1 {
		connection.Do("SendMessage", input)
		return
	}
	connection.Batch("SendMessageBatch", input, count)
}

func (run *Run) receive(connection *Connection) (receipts []string) {
	answer := connection.Do("ReceiveMessage", run.receives)
	receipts, bodies := members(answer, "ReceiptHandle"), members(answer, "Body")
	if len(receipts) != len(bodies) {
		log.Fatalf("%d messages came, and %d bodies", len(receipts), len(bodies))
	}
	for _, body := range bodies {
		if body != run.Message {
			log.Fatal("a message came back as another one")
		}
	}
	return receipts
}

func (run *Run) remove(connection *Connection, receipts []string) {
	if run.Batch == 1 {
		connection.Do("DeleteMessage", encoded(map[string]string{"QueueUrl": run.Queue, "ReceiptHandle": receipts[0]}))
		return
	}
	input := run.entries(len(receipts), "ReceiptHandle", func(place int) string { return receipts[place] })
	connection.Batch("DeleteMessageBatch", input, len(receipts))
}

func encoded(input any) []byte {
	body, err := json.Marshal(input)
	if err != nil {
		log.Fatal(err)
	}
	return body
}

// members is all texts without escapes that a JSON document has under a name: to decode all of it takes ten times as long.
func members(document []byte, name string) (found []string) {
	rest := document
	for {
		_, behind, ok := bytes.Cut(rest, []byte(`"`+name+`"`))
		if !ok {
			return found
		}
		_, behind, _ = bytes.Cut(behind, []byte(`"`))
		text, behind, _ := bytes.Cut(behind, []byte(`"`))
		found, rest = append(found, string(text)), behind
	}
}

func milliseconds(sorted []time.Duration, percent int) float64 {
	return float64(sorted[(len(sorted)-1)*percent/100].Microseconds()) / 1000
}
