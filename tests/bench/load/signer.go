package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"
)

const (
	contentType = "application/x-amz-json-1.0"
	signed      = "content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode"
)

// Signer signs as boto3 does.
//
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
type Signer struct {
	KeyID, Secret, Region, Host string

	// By day.
	keys sync.Map
}

// write adds the headers of a signature.
func (signer *Signer) write(out *bytes.Buffer, target string, body []byte, now time.Time) {
	made, day := now.Format("20060102T150405Z"), now.Format("20060102")
	scope := fmt.Sprintf("%s/%s/sqs/aws4_request", day, signer.Region)
	covered := fmt.Sprintf(
		"content-type:%s\nhost:%s\nx-amz-date:%s\nx-amz-target:%s\nx-amzn-query-mode:true\n",
		contentType, signer.Host, made, target,
	)
	canonical := fmt.Sprintf("POST\n/\n\n%s\n%s\n%s", covered, signed, hash(body))
	text := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%s", made, scope, hash([]byte(canonical)))
	signature := hex.EncodeToString(keyed(signer.key(day), text))
	fmt.Fprintf(out, "X-Amz-Date: %s\r\nAuthorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s\r\n",
		made, signer.KeyID, scope, signed, signature)
}

func (signer *Signer) key(day string) []byte {
	if key, ok := signer.keys.Load(day); ok {
		return key.([]byte)
	}
	key := []byte("AWS4" + signer.Secret)
	for _, part := range []string{day, signer.Region, "sqs", "aws4_request"} {
		key = keyed(key, part)
	}
	signer.keys.Store(day, key)
	return key
}

func keyed(key []byte, text string) []byte {
	made := hmac.New(sha256.New, key)
	made.Write([]byte(text))
	return made.Sum(nil)
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
