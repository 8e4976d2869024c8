"""An OPC UA client of asyncua, driven by JSON lines on standard input; what it found stands on standard output.

    client.py URL FOLDER none|aes256sha256rsapss [USER]

The password stands in OPCUA_PASSWORD. Numbers cross as the bits of a double, so that both sides hold the same; times in
milliseconds. FOLDER keeps the certificate; it is made where there is none.
"""

import asyncio
import json
import os
import struct
import sys
from datetime import timezone
from pathlib import Path

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss

from server import certificate

URI = "urn:geminus:test"


def say(what):
    print(json.dumps(what), flush=True)


def told(node, value):
    """A value as the test reads it."""
    held = None if value.Value is None else value.Value.Value
    status = 0 if value.StatusCode is None else value.StatusCode.value
    what = {"node": node, "status": status, "time_ms": None, "bits": None, "text": None}
    if isinstance(held, float):
        what["bits"] = "0x" + struct.pack(">d", held).hex()
    elif held is not None:
        what["text"] = str(held)
    if value.SourceTimestamp is not None:
        what["time_ms"] = round(value.SourceTimestamp.replace(tzinfo=timezone.utc).timestamp() * 1000)
    return what


class Seen:
    """What a subscription was sent, in order."""

    def __init__(self):
        self.values = []

    def datachange_notification(self, node, _value, data):
        self.values.append(told(node.nodeid.Identifier, data.monitored_item.Value))


class Peer:
    def __init__(self, client, space):
        self.client, self.space, self.seen = client, space, Seen()

    def node(self, identifier):
        return self.client.get_node(ua.NodeId(identifier, self.space))

    async def browse(self, order):
        node = self.node(order["node"]) if order["node"] else self.client.nodes.objects
        found = await node.get_references(direction=ua.BrowseDirection.Forward)
        names = [
            {"name": one.BrowseName.Name, "node": str(one.NodeId.Identifier), "type": str(one.TypeDefinition.Identifier)}
            for one in found
        ]
        return {"names": names}

    async def read(self, order):
        values = []
        for name in order["nodes"]:
            value = await self.node(name).read_data_value(raise_on_bad_status=False)
            values.append(told(name, value))
        return {"values": values}

    async def write(self, order):
        value = ua.DataValue(ua.Variant(7.0, ua.VariantType.Double))
        try:
            await self.node(order["node"]).write_value(value)
        except ua.UaStatusCodeError as error:
            return {"status": error.code}
        return {"status": 0}

    async def watch(self, order):
        subscription = await self.client.create_subscription(100, self.seen)
        nodes = [self.node(name) for name in order["nodes"]]
        await subscription.subscribe_data_change(nodes, queuesize=100, sampling_interval=order["sampling_ms"])
        return {}

    async def values(self, _order):
        return {"values": self.seen.values}


async def main(url, folder, security, user=None):
    client = Client(url)
    client.application_uri = URI
    if security != "none":
        cert, key = certificate(Path(folder))
        await client.set_security(
            SecurityPolicyAes256Sha256RsaPss, cert, key, mode=ua.MessageSecurityMode.SignAndEncrypt
        )
    if user:
        client.set_user(user)
        client.set_password(os.environ["OPCUA_PASSWORD"])
    try:
        await client.connect()
        space = await client.get_namespace_index("urn:geminus:twins:1")
    except Exception as error:
        say({"said": "refused", "reason": f"{type(error).__name__} {error}"})
        os._exit(0)
    peer = Peer(client, space)
    say({"said": "connected", "namespace": space})
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        order = json.loads(line)
        say({"said": order["do"], **await getattr(peer, order["do"])(order)})
    await client.disconnect()


asyncio.run(main(*sys.argv[1:]))
