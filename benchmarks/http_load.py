"""Load generator for POST requests; prints rate, p50 and p95 in milliseconds as JSON.

`python benchmarks/http_load.py URL BODIES CONNECTIONS SECONDS` uses wrk if it is installed, else asyncio. BODIES is a
file with one JSON body per line, sent in turn over connections that stay open. An @ in a body is replaced by six
digits that differ in each request. The environment variable TOKEN may hold a bearer token.
"""

import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

SCRIPT = """
local bodies, turn, start = {}, 0, %d
for line in io.lines("%s") do bodies[#bodies + 1] = line end
local headers = {["content-type"] = "application/json"}
if os.getenv("TOKEN") then headers["authorization"] = "Bearer " .. os.getenv("TOKEN") end
function request()
  turn = turn + 1
  local digits = string.format("%%06d", (start + turn * 7919) %% 1000000)
  return wrk.format("POST", nil, headers, (bodies[turn %% #bodies + 1]:gsub("@", digits)))
end
function done(summary, latency)
  local failed = summary.errors.status + summary.errors.read + summary.errors.connect + summary.errors.timeout
  local rate, p50, p95 = summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(95)
  io.write(string.format('{"rate": %%f, "p50": %%f, "p95": %%f, "failed": %%d}\\n', rate, p50 / 1e3, p95 / 1e3, failed))
end
"""


def load(url: str, bodies: Path, connections: int, seconds: int) -> dict[str, float]:
    if shutil.which("wrk") is None:
        return asyncio.run(load_by_asyncio(url, bodies.read_bytes().splitlines(), connections, seconds))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT % (random.randrange(1_000_000), bodies))
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script.name, url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


async def load_by_asyncio(url: str, bodies: list[bytes], connections: int, seconds: int) -> dict[str, float]:
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += ["Content-Type: application/json", "Content-Length: %d"]
    lines += [f"Authorization: Bearer {os.environ['TOKEN']}"] if "TOKEN" in os.environ else []
    head = "\r\n".join([*lines, "\r\n"]).encode()
    times: list[float] = []
    failed, turn = 0, random.randrange(1_000_000)
    end = time.perf_counter() + seconds

    async def send_until_the_end() -> None:
        nonlocal failed, turn
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while (start := time.perf_counter()) < end:
            turn += 1
            body = bodies[turn % len(bodies)].replace(b"@", b"%06d" % (turn * 7919 % 1_000_000))
            writer.write(head % len(body) + body)
            response = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(response.partition(b"content-length:")[2].split(b"\r\n")[0]))
            failed += b" 200 " not in response[:20]
            times.append(time.perf_counter() - start)
            if b"connection: close" in response:
                writer.close()
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.close()

    await asyncio.gather(*(send_until_the_end() for _ in range(connections)))
    cuts = statistics.quantiles(times, n=20)
    return {"rate": len(times) / seconds, "p50": cuts[9] * 1e3, "p95": cuts[18] * 1e3, "failed": failed}


if __name__ == "__main__":
    url, bodies, connections, seconds = sys.argv[1:]
    json.dump(load(url, Path(bodies), int(connections), int(seconds)), sys.stdout)
