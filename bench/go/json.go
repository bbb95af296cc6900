//go:build ignore

// A page of a hundred orders to JSON and back. Twin of bench/degu/json.cc.
package main

import (
	"encoding/json"
	"fmt"
	"time"
)

type money struct {
	Currency string `json:"currency"`
	Units    int64  `json:"units"`
}

type item struct {
	SKU      string `json:"sku"`
	Name     string `json:"name"`
	Quantity int    `json:"quantity"`
	Price    money  `json:"price"`
}

type order struct {
	ID        string `json:"id"`
	UserID    int64  `json:"user_id"`
	State     string `json:"state"`
	CreatedAt string `json:"created_at"`
	Paid      bool   `json:"paid"`
	Total     money  `json:"total"`
	Items     []item `json:"items"`
}

type page struct {
	Orders        []order `json:"orders"`
	NextPageToken string  `json:"next_page_token"`
}

func example() page {
	p := page{NextPageToken: "b3JkZXItMTAw"}
	for i := 0; i < 100; i++ {
		o := order{fmt.Sprintf("order-%06d", i), int64(1000 + i), "CAPTURED", "2026-01-02T03:04:05Z", i%3 != 0,
			money{"EUR", int64(12345 + i)}, nil}
		for k := 0; k < 3; k++ {
			o.Items = append(o.Items, item{fmt.Sprintf("CT-%d", 100+k), "A \"useful\" thing, quite <long> named", 1 + k,
				money{"EUR", int64(1999 * (k + 1))}})
		}
		p.Orders = append(p.Orders, o)
	}
	return p
}

func main() {
	p := example()
	text, _ := json.Marshal(p)
	rounds := scaled(5000)
	bytes := 0
	t := time.Now()
	for i := 0; i < rounds; i++ {
		encoded, _ := json.Marshal(p)
		bytes += len(encoded)
	}
	report("json_encode_100_orders", perOp(t, rounds)/1e3, "us")
	if bytes != len(text)*rounds {
		panic("the page changed its size")
	}
	orders := 0
	t = time.Now()
	for i := 0; i < rounds; i++ {
		var decoded page
		if err := json.Unmarshal(text, &decoded); err != nil {
			panic(err)
		}
		orders += len(decoded.Orders)
	}
	report("json_decode_100_orders", perOp(t, rounds)/1e3, "us")
	if orders != 100*rounds {
		panic("orders were lost")
	}
	report("json_bytes", float64(len(text)), "bytes")
}
