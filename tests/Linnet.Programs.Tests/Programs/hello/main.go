// A server of HTTP and UDP, and its client with many goroutines.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	goroutines = 200
	requests   = 5
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "server" {
		go echo()
		http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			length, _ := io.Copy(io.Discard, r.Body)
			from, _, _ := net.SplitHostPort(r.RemoteAddr)
			fmt.Fprintf(w, "%d bytes from %s", length, from)
		})
		check(http.ListenAndServe(":80", nil))
		return
	}

	resolver := net.Resolver{PreferGo: true}
	addresses, err := resolver.LookupHost(context.Background(), "web")
	fmt.Println("names:", addresses, err)
	askMany()
	datagrams()
	_, err = net.Dial("tcp", "web:81")
	fmt.Println("refused:", errors.Is(err, syscall.ECONNREFUSED))
	_, err = net.DialTimeout("tcp", "10.0.0.77:80", 200*time.Millisecond)
	timeout, ok := err.(net.Error)
	fmt.Println("timeout:", ok && timeout.Timeout())
}

func echo() {
	socket, err := net.ListenPacket("udp", ":7")
	check(err)
	buffer := make([]byte, 2048)
	for {
		n, from, err := socket.ReadFrom(buffer)
		check(err)
		socket.WriteTo(buffer[:n], from)
	}
}

func askMany() {
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: goroutines}}
	var group sync.WaitGroup
	var lock sync.Mutex
	answers := map[string]int{}
	for i := 0; i < goroutines; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for k := 0; k < requests; k++ {
				text := ask(&client)
				lock.Lock()
				answers[text]++
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	for text, count := range answers {
		fmt.Println("http:", count, "times", text)
	}
}

func ask(client *http.Client) string {
	response, err := client.Post("http://web/", "text/plain", strings.NewReader(strings.Repeat("x", 10000)))
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func datagrams() {
	socket, err := net.Dial("udp", "web:7")
	check(err)
	buffer := make([]byte, 2048)
	for i := 0; i < 10; i++ {
		fmt.Fprintf(socket, "datagram %d", i)
		socket.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := socket.Read(buffer)
		check(err)
		if string(buffer[:n]) != fmt.Sprintf("datagram %d", i) {
			panic(string(buffer[:n]))
		}
	}
	socket.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, err = socket.Read(buffer)
	fmt.Println("udp: all echoed, then", errors.Is(err, os.ErrDeadlineExceeded))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
