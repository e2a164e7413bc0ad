package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"
)

// readSize is more than most answers have, so that one read takes one.
const readSize = 64 * 1024

// Connection has one request under way at a time, and stays open.
type Connection struct {
	// Took is how long each request took, by operation.
	Took map[string][]time.Duration

	host   string
	signer *Signer
	socket net.Conn
	reader *bufio.Reader
	out    bytes.Buffer
	closed atomic.Bool
}

// Open connects to host:port.
func Open(host string, signer *Signer) *Connection {
	socket, err := net.Dial("tcp", host)
	if err != nil {
		log.Fatal(err)
	}
	took := map[string][]time.Duration{}
	return &Connection{Took: took, host: host, signer: signer, socket: socket, reader: bufio.NewReaderSize(socket, readSize)}
}

// Close ends the request that is under way.
func (connection *Connection) Close() {
	connection.closed.Store(true)
	connection.socket.Close()
}

// Batch asks for a batch operation, all parts of which must be done.
func (connection *Connection) Batch(operation string, input []byte, entries int) {
	var answer struct{ Successful []struct{ ID string } }
	told := connection.Do(operation, input)
	if err := json.Unmarshal(told, &answer); err != nil {
		log.Fatalf("%s answered %s: %v", operation, told, err)
	}
	if len(answer.Successful) != entries {
		log.Fatalf("%s did %d of %d", operation, len(answer.Successful), entries)
	}
}

// Do asks for an operation, and tells the answer's body. On a connection that was closed it ends its goroutine.
func (connection *Connection) Do(operation string, input []byte) []byte {
	connection.write(operation, input)
	began := time.Now()
	status, answer, err := connection.exchange()
	if err != nil {
		if connection.closed.Load() {
			runtime.Goexit()
		}
		log.Fatalf("%s: %v", operation, err)
	}
	if status != http.StatusOK {
		log.Fatalf("%s answered %d: %s", operation, status, answer)
	}
	connection.Took[operation] = append(connection.Took[operation], time.Since(began))
	return answer
}

func (connection *Connection) exchange() (status int, answer []byte, err error) {
	if _, err := connection.socket.Write(connection.out.Bytes()); err != nil {
		return 0, nil, err
	}
	response, err := http.ReadResponse(connection.reader, nil)
	if err != nil {
		return 0, nil, err
	}
	if response.ContentLength < 0 {
		answer, err = io.ReadAll(response.Body)
	} else {
		answer = make([]byte, response.ContentLength)
		_, err = io.ReadFull(response.Body, answer)
	}
	return response.StatusCode, answer, err
}

func (connection *Connection) write(operation string, body []byte) {
	target := "AmazonSQS." + operation
	out := &connection.out
	out.Reset()
	fmt.Fprintf(out, "POST / HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: identity\r\n", connection.host)
	fmt.Fprintf(out, "X-Amz-Target: %s\r\nx-amzn-query-mode: true\r\nContent-Type: %s\r\n", target, contentType)
	out.WriteString("User-Agent: Boto3/1.44.8 md/Botocore#1.44.8 ua/2.1 os/linux lang/python#3.11 cfg/retry-mode#legacy\r\n")
	if connection.signer.KeyID != "" {
		connection.signer.write(out, target, body, time.Now().UTC())
	}
	out.WriteString("amz-sdk-invocation-id: 6ba7b810-9dad-41d1-80b4-00c04fd430c8\r\namz-sdk-request: attempt=1\r\n")
	fmt.Fprintf(out, "Content-Length: %d\r\n\r\n", len(body))
	out.Write(body)
}
