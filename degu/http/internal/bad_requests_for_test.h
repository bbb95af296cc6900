// Malformed and excessive requests with the status that each must get; used against the parser and against a
// server.
#pragma once

#include <string>
#include <vector>

namespace degu::http::internal {

struct BadRequest {
  const char* name;
  std::string text;
  int status;
};

/// Method and version.
inline std::vector<BadRequest> bad_request_lines() {
  using namespace std::string_literals;
  const auto line = [](const std::string& first) { return first + "\r\nHost: a\r\n\r\n"; };
  return {
      {"TLS hello", "\x16\x03\x01\x02\n"s, 400},
      {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"bare LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"method only", line("GET"), 400},
      {"no version", line("GET /"), 400},
      {"HTTP/0.9", line("GET / HTTP/0.9"), 505},
      {"HTTP/2.0", line("GET / HTTP/2.0"), 505},
      {"nearly the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 505},
      {"version with three digits", line("GET / HTTP/1.10"), 400},
      {"version in lower case", line("GET / http/1.1"), 400},
      {"version with a sign", line("GET / HTTP/+.1"), 400},
      {"version of another protocol", line("GET / ICAP/1.1"), 400},
      {"two spaces before target", line("GET  / HTTP/1.1"), 400},
      {"two spaces before version", line("GET /  HTTP/1.1"), 400},
      {"space behind version", line("GET / HTTP/1.1 "), 400},
      {"tab as separator", line("GET\t/ HTTP/1.1"), 400},
      {"space in target", line("GET /a b HTTP/1.1"), 400},
      {"method with a bad character", line("G(T / HTTP/1.1"), 400},
      {"method too long", line(std::string(33, 'A') + " / HTTP/1.1"), 400},
      {"endless method", std::string(9000, 'A'), 400},
  };
}

/// Request targets.
inline std::vector<BadRequest> bad_targets() {
  using namespace std::string_literals;
  const auto line = [](const std::string& first) { return first + "\r\nHost: a\r\n\r\n"; };
  return {
      {"target without slash", line("GET index.html HTTP/1.1"), 400},
      {"target with fragment", line("GET /#a HTTP/1.1"), 400},
      {"target with raw UTF-8", line("GET /\xC3\xA4 HTTP/1.1"), 400},
      {"target with quote", line("GET /\"a HTTP/1.1"), 400},
      {"target with backslash", line("GET /a\\b HTTP/1.1"), 400},
      {"target with NUL", line("GET /a\0b HTTP/1.1"s), 400},
      {"target with DEL", line("GET /a\x7F HTTP/1.1"), 400},
      {"bad percent escape", line("GET /%zz HTTP/1.1"), 400},
      {"cut percent escape", line("GET /%2 HTTP/1.1"), 400},
      {"bad percent escape in query", line("GET /?a=%g0 HTTP/1.1"), 400},
      {"asterisk with GET", line("GET * HTTP/1.1"), 400},
      {"CONNECT", line("CONNECT a:80 HTTP/1.1"), 501},
      {"absolute target of another host", line("GET http://b/ HTTP/1.1"), 400},
      {"absolute target with user", line("GET http://u@a/ HTTP/1.1"), 400},
      {"absolute target without host", line("GET http:///x HTTP/1.1"), 400},
      {"absolute target of another scheme", line("GET ftp://a/ HTTP/1.1"), 400},
      {"URI too long", line("GET /" + std::string(8192, 'a') + " HTTP/1.1"), 414},
      {"endless URI", "GET /" + std::string(20000, 'a'), 414},
  };
}

/// Lines and fields.
inline std::vector<BadRequest> bad_fields() {
  using namespace std::string_literals;
  const auto get = [](const std::string& fields) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  };
  return {
      {"bare LF behind request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"bare CR in request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"two Hosts", get("Host: a\r\n"), 400},
      {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"Host with a bad port", "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400},
      {"Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
      {"space before colon", get("X : 1\r\n"), 400},
      {"tab before colon", get("X\t: 1\r\n"), 400},
      {"no colon", get("X\r\n"), 400},
      {"no name", get(": 1\r\n"), 400},
      {"name with a bad character", get("X@: 1\r\n"), 400},
      {"name in UTF-8", get("\xC3\xA4: 1\r\n"), 400},
      {"folded line", get("X: 1\r\n 2\r\n"), 400},
      {"folded line with tab", get("X: 1\r\n\t2\r\n"), 400},
      {"first header line folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"bare LF behind a header", get("X: 1\nY: 2\r\n"), 400},
      {"bare CR in a value", get("X: 1\r2\r\n"), 400},
      {"two CRs", get("X: 1\r\r\n"), 400},
      {"NUL in a value", get("X: a\0b\r\n"s), 400},
      {"escape character in a value", get("X: a\x1B[2J\r\n"), 400},
      {"DEL in a long value", get("X: 0123456789abcdef0123\x7F\r\n"), 400},
      {"head ends in a bare LF", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
  };
}

/// What says how long the body is.
inline std::vector<BadRequest> bad_framing() {
  using namespace std::string_literals;
  const auto get = [](const std::string& fields) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  };
  return {
      {"length with sign", get("Content-Length: +1\r\n"), 400},
      {"negative length", get("Content-Length: -1\r\n"), 400},
      {"hexadecimal length", get("Content-Length: 0x10\r\n"), 400},
      {"length with fraction", get("Content-Length: 1.0\r\n"), 400},
      {"length with inner space", get("Content-Length: 1 0\r\n"), 400},
      {"empty length", get("Content-Length:\r\n"), 400},
      {"length list", get("Content-Length: 5, 5\r\n"), 400},
      {"two lengths", get("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
      {"two equal lengths", get("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
      {"length and chunked", get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"chunked and length", get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
      {"chunked twice", get("Transfer-Encoding: chunked, chunked\r\n"), 400},
      {"chunked in two fields", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"chunked not last", get("Transfer-Encoding: chunked, gzip\r\n"), 400},
      {"only gzip", get("Transfer-Encoding: gzip\r\n"), 400},
      {"gzip then chunked", get("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"identity", get("Transfer-Encoding: identity\r\n"), 400},
      {"empty coding", get("Transfer-Encoding:\r\n"), 400},
      {"disguised chunked", get("Transfer-Encoding: xchunked\r\n"), 400},
      {"chunked with quote", get("Transfer-Encoding: \"chunked\"\r\n"), 400},
      {"chunked with parameter", get("Transfer-Encoding: chunked;a=b\r\n"), 400},
      {"vertical tab before chunked",
       get("Transfer-Encoding: \x0B"
           "chunked\r\n"),
       400},
      {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
  };
}

/// Beyond the default limits, and other refusals.
inline std::vector<BadRequest> excessive_heads() {
  const auto get = [](const std::string& fields) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  };
  std::string many;
  for (int i = 0; i < 100; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  std::string large;
  for (int i = 0; i < 40; ++i) large += "X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n";
  return {
      {"unknown expectation", get("Expect: 200-ok\r\n"), 417},
      {"header line too long", get("X: " + std::string(40000, 'x') + "\r\n"), 431},
      {"endless header line", "GET / HTTP/1.1\r\nX: " + std::string(40000, 'x'), 431},
      {"too many headers", get(many), 431},
      {"headers too large in total", get(large), 431},
  };
}

/// Heads that RequestParser must refuse with `status` under default limits.
inline std::vector<BadRequest> bad_heads() {
  std::vector<BadRequest> all;
  for (const auto& group :
       {bad_request_lines(), bad_targets(), bad_fields(), bad_framing(), excessive_heads()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

/// Chunked bodies that must be refused.
inline std::vector<BadRequest> bad_chunks() {
  using namespace std::string_literals;
  return {
      {"no size", "\r\nabc\r\n0\r\n\r\n", 400},
      {"size 0x3", "0x3\r\nabc\r\n0\r\n\r\n", 400},
      {"size +3", "+3\r\nabc\r\n0\r\n\r\n", 400},
      {"size -3", "-3\r\nabc\r\n0\r\n\r\n", 400},
      {"size 1_0", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n", 400},
      {"space before size", " 3\r\nabc\r\n0\r\n\r\n", 400},
      {"space behind size", "3 \r\nabc\r\n0\r\n\r\n", 400},
      {"tab behind size", "3\t\r\nabc\r\n0\r\n\r\n", 400},
      {"size overflow", "ffffffffffffffff1\r\nabc\r\n0\r\n\r\n", 400},
      {"size of 64 bits", "ffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400},
      {"many leading zeros", "0000000000000000000003\r\nabc\r\n0\r\n\r\n", 400},
      {"bare LF behind size", "3\nabc\r\n0\r\n\r\n", 400},
      {"bare CR behind size", "3\rabc\r\n0\r\n\r\n", 400},
      {"bare LF behind data", "3\r\nabc\n0\r\n\r\n", 400},
      {"data too long", "3\r\nabcd\r\n0\r\n\r\n", 400},
      {"data too short", "4\r\nabc\r\n0\r\n\r\n", 400},
      {"NUL in extension", "3;a=\0\r\nabc\r\n0\r\n\r\n"s, 400},
      {"bare LF in extension", "3;a\nabc\r\n0\r\n\r\n", 400},
      {"extension too long", "3;" + std::string(1025, 'a') + "\r\nabc\r\n0\r\n\r\n", 400},
      {"trailer with length", "0\r\nContent-Length: 3\r\n\r\n", 400},
      {"trailer with coding", "0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"trailer with Host", "0\r\nHost: b\r\n\r\n", 400},
      {"trailer with credentials", "0\r\nAuthorization: Bearer x\r\n\r\n", 400},
      {"trailer with space before colon", "0\r\nX : 1\r\n\r\n", 400},
      {"trailer ends in bare LF", "0\r\nX: 1\n\r\n", 400},
      {"folded trailer", "0\r\nX: 1\r\n 2\r\n\r\n", 400},
      {"trailer too large", "0\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", 431},
      {"chunk larger than the limit", "200000\r\n", 413},
  };
}

}  // namespace degu::http::internal
