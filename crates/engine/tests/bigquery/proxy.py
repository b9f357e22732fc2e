"""Lets BigQuery's ADBC driver, which knows no other address than Google's, ask an emulator: python proxy.py PORT REST GRPC

What the driver connects to by HTTPS_PROXY ends here, with the certificate of `server.pem`; requests go to the port of the
emulator's REST, those of the Storage API to that of its gRPC. `POST /token` gives any service account a token.
"""

import asyncio
import json
import ssl
import sys

PORT, REST, GRPC = map(int, sys.argv[1:4])


def tls(protocol):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("server.pem", "server.key")
    context.set_alpn_protocols([protocol])
    return context


async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def handle(reader, writer):
    line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode()
    if line.startswith("POST /token"):
        body = json.dumps({"access_token": "any", "expires_in": 3600, "token_type": "Bearer"}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()
        return
    is_storage = "storage" in line.split()[1]
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await writer.drain()
    await writer.start_tls(tls("h2" if is_storage else "http/1.1"))
    emulator = await asyncio.open_connection("127.0.0.1", GRPC if is_storage else REST)
    await asyncio.gather(pipe(reader, emulator[1]), pipe(emulator[0], writer))


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", PORT)
    async with server:
        await server.serve_forever()


asyncio.run(main())
