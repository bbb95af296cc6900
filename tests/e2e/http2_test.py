#!/usr/bin/env python3
"""HTTP/2 on the shop's port, as curl, nghttp, h2load and Node speak it, with and without TLS."""

import json
import re
import subprocess

import harness
from harness import HOST, Settings, Shop
from live import LiveServer
from tls_test import Authority, SecureShop

NODE = """
const http2 = require('http2');
const [url, ca, count] = process.argv.slice(1);
const session = http2.connect(url, ca ? {ca: require('fs').readFileSync(ca)} : {});
session.on('error', e => { console.error(e); process.exit(1); });
const paths = ['/ping', '/api/v1/products?page_size=5', '/nowhere'];
let left = Number(count), seen = {};
for (let i = 0; i < Number(count); ++i) {
  const path = paths[i % paths.length];
  const stream = session.request({':path': path});
  let body = '';
  stream.setEncoding('utf8');
  stream.on('response', h => { const key = path + ' ' + h[':status']; seen[key] = (seen[key] || 0) + 1; });
  stream.on('data', d => body += d);
  stream.on('end', () => {
    if (path === '/ping' && body !== 'pong') throw new Error(body);
    if (--left === 0) { console.log(JSON.stringify(seen)); session.close(); }
  });
  stream.end();
}
"""

# A WebSocket by extended CONNECT (RFC 8441), its frames by hand: texts of less than 126 bytes.
NODE_WEBSOCKET = """
const http2 = require('http2');
const [url, ca] = process.argv.slice(1);
const session = http2.connect(url, ca ? {ca: require('fs').readFileSync(ca)} : {});
session.on('error', e => { console.error(e); process.exit(1); });
const frame = (opcode, payload) => {
  const data = Buffer.from(payload), mask = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | data.length]), mask, data.map((b, i) => b ^ mask[i % 4])]);
};
session.once('remoteSettings', settings => {
  const stream = session.request({':method': 'CONNECT', ':protocol': 'websocket', ':path': '/echo',
                                  'sec-websocket-version': '13', 'sec-websocket-protocol': 'x'}, {endStream: false});
  const seen = {connect: settings.enableConnectProtocol, heard: []};
  stream.on('response', h => {
    seen.status = h[':status'];
    stream.write(frame(1, 'over HTTP/2'));
    stream.write(frame(2, [0, 255]));
  });
  let input = Buffer.alloc(0);
  stream.on('data', d => {
    input = Buffer.concat([input, d]);
    while (input.length >= 2 && input.length >= 2 + input[1]) {
      const opcode = input[0] & 15, payload = input.subarray(2, 2 + input[1]);
      seen.heard.push(opcode + ' ' + (opcode === 1 ? payload.toString() : payload.toString('hex')));
      input = input.subarray(2 + input[1]);
      if (seen.heard.length === 2) stream.write(frame(1, 'bye'));
      if (opcode === 8) stream.end(frame(8, payload));
    }
  });
  stream.on('end', () => { console.log(JSON.stringify(seen)); session.close(); });
});
"""


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


class Http2Test(harness.TestCase):
    def started(self, shop):
        self.addCleanup(shop.kill)
        shop.start()
        return shop

    def plain(self, *args):
        return self.started(Shop("http2", args))

    def secure(self):
        folder = harness.Path(harness.tempfile.mkdtemp(prefix="ca-", dir=Settings.work_dir))
        return self.started(SecureShop(Authority(folder)))

    def check_websocket(self, live):
        seen = json.loads(run("node", "-e", NODE_WEBSOCKET, live.url(""), live.authority.cert if live.authority else ""))
        self.assertEqual(seen, {"connect": True, "status": 200,
                                "heard": ["1 over HTTP/2", "2 00ff", "8 " + (4000).to_bytes(2, "big").hex() + b"bye".hex()]})

    def test_websocket(self):
        folder = harness.Path(harness.tempfile.mkdtemp(prefix="ca-", dir=Settings.work_dir))
        for authority in (None, Authority(folder)):
            live = LiveServer(authority)
            self.addCleanup(live.kill)
            live.start()
            self.check_websocket(live)

    def check_node(self, url, ca=""):
        seen = json.loads(run("node", "-e", NODE, url, ca, 300))
        self.assertEqual(seen, {"/ping 200": 100, "/api/v1/products?page_size=5 200": 100, "/nowhere 404": 100})

    def test_prior_knowledge(self):
        shop = self.plain()
        url = f"http://{HOST}:{shop.port}"
        written = run("curl", "-sS", "--http2-prior-knowledge", "-w", " %{http_version}", f"{url}/ping")
        self.assertEqual(written, "pong 2")
        account = json.dumps({"name": "H Two", "email": "h2@degu.example", "password": "a-long-password"})
        written = run("curl", "-sS", "--http2-prior-knowledge", "-w", " %{http_code}", "-H", "Content-Type: application/json",
                      "-d", account, f"{url}/api/v1/users")
        self.assertTrue(written.endswith(" 201"), written)
        # Both versions on one port.
        self.assertEqual(run("curl", "-sS", "--http1.1", "-w", " %{http_version}", f"{url}/ping"), "pong 1.1")
        # By upgrade from HTTP/1.1.
        written = run("curl", "-sS", "--http2", "-w", " %{http_version}", f"{url}/ping", f"{url}/ping")
        self.assertEqual(written, "pong 2pong 2")
        self.assertIn(":status: 200", run("nghttp", "-nuv", f"{url}/ping"))
        self.check_node(url)
        listed = run("nghttp", "-nv", f"{url}/ping")
        self.assertRegex(listed, r"recv \(stream_id=\d+\) :status: 200")

    def test_alpn(self):
        shop = self.secure()
        common = ("curl", "-sS", "--cacert", shop.authority.cert, "-w", " %{http_version}")
        self.assertEqual(run(*common, shop.url("/ping")), "pong 2")
        self.assertEqual(run(*common, "--http1.1", shop.url("/ping")), "pong 1.1")
        self.assertEqual(run(*common, "--no-alpn", shop.url("/ping")), "pong 1.1")
        self.check_node(shop.url(""), shop.authority.cert)

    def test_load_and_drain(self):
        shop = self.plain("--access-log=off")
        url = f"http://{HOST}:{shop.port}"
        report = run("h2load", "-n", 20000, "-c", 10, "-m", 100, f"{url}/api/v1/products?page_size=20")
        self.assertIn("20000 succeeded, 0 failed, 0 errored, 0 timeout", report)
        # A drain under load: whatever was begun is answered.
        load = subprocess.Popen(["h2load", "-D", "5", "-c", "4", "-m", "20", f"{url}/ping"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(load.kill)
        with shop.client() as client:
            harness.wait_for(lambda: client.get("/health").status == 200, 10, "the shop under load")
        code, seconds = shop.terminate()
        self.assertEqual(code, 0)
        self.assertLess(seconds, harness.DRAIN_LIMIT_S)
        report = load.communicate(timeout=60)[0]
        statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", report)
        self.assertIsNotNone(statuses, report)
        self.assertEqual(statuses.groups()[1:], ("0", "0", "0"), report)


if __name__ == "__main__":
    harness.main()
