// Signs a call and prints its access-token. Go 1.18 or later, standard library only.
//
//	go run sign.go v1 SHA1 APP_ID PRIVATE_KEY TIME_STAMP NONCE
//	go run sign.go v2 APP_ID PRIVATE_KEY TIME_STAMP NONCE METHOD PATH QUERY BODY
package main

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"net/url"
	"os"
	"sort"
	"strings"
)

func main() {
	a := os.Args[1:]
	if a[0] == "v1" {
		fmt.Println(signV1(a[1], a[2], a[3], a[4], a[5]))
		return
	}
	token, err := signV2(a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token)
}

func signV1(method, appID, privateKey, timeStamp, nonce string) string {
	parts := []string{appID, timeStamp, nonce, privateKey}
	sort.Strings(parts) // Go strings are UTF-8 and are compared by bytes
	joined := []byte(strings.Join(parts, ""))
	var signature string
	if method == "SHA1" {
		signature = fmt.Sprintf("%x", sha1.Sum(joined))
	} else {
		signature = fmt.Sprintf("%x", md5.Sum(joined))
	}
	return accessToken(method, appID, timeStamp, nonce, signature)
}

func signV2(appID, privateKey, timeStamp, nonce, method, path, query, body string) (string, error) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = encode(segment)
	}
	canonical, err := canonicalQuery(query)
	if err != nil {
		return "", err
	}
	toSign := strings.Join([]string{
		"MPC2-HMAC-SHA256", appID, timeStamp, nonce, method,
		strings.Join(segments, "/"), canonical, fmt.Sprintf("%x", sha256.Sum256([]byte(body))),
	}, "\n")
	derived := mac([]byte(privateKey), "MPC2\n"+appID)
	return accessToken("HMAC-SHA256", appID, timeStamp, nonce, hex.EncodeToString(mac(derived, toSign))), nil
}

func canonicalQuery(query string) (string, error) {
	var pairs [][2]string
	for _, part := range strings.Split(query, "&") {
		if part == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return "", err
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return "", err
		}
		pairs = append(pairs, [2]string{encode(name), encode(value)})
	}
	sort.Slice(pairs, func(i, j int) bool {
		if pairs[i][0] != pairs[j][0] {
			return pairs[i][0] < pairs[j][0]
		}
		return pairs[i][1] < pairs[j][1]
	})
	joined := make([]string, len(pairs))
	for i, pair := range pairs {
		joined[i] = pair[0] + "=" + pair[1]
	}
	return strings.Join(joined, "&"), nil
}

// url.QueryEscape encodes everything except the unreserved characters, but it writes a space as a plus.
func encode(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

func accessToken(method, appID, timeStamp, nonce, signature string) string {
	token, _ := json.Marshal(struct {
		SignatureMethod string `json:"signatureMethod"`
		AppID           string `json:"AppID"`
		TimeStamp       string `json:"timeStamp"`
		Nonce           string `json:"nonce"`
		Signature       string `json:"signature"`
	}{method, appID, timeStamp, nonce, signature})
	return base64.StdEncoding.EncodeToString(token)
}
