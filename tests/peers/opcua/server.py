"""An OPC UA server of asyncua, driven by JSON lines on standard input; what it did stands on standard output.

    server.py PORT FOLDER

One object `pump-1` with a variable of each type, one that may be written and a method. Numbers cross as the bits of a
double, so that both sides hold the same. FOLDER keeps the certificate; it is made where there is none.
"""

import asyncio
import copy
import json
import struct
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from asyncua.server.user_managers import UserManager

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

URI = "urn:geminus:test"
TYPES = {
    "double": ua.VariantType.Double,
    "float": ua.VariantType.Float,
    "sbyte": ua.VariantType.SByte,
    "byte": ua.VariantType.Byte,
    "int16": ua.VariantType.Int16,
    "uint16": ua.VariantType.UInt16,
    "int32": ua.VariantType.Int32,
    "uint32": ua.VariantType.UInt32,
    "int64": ua.VariantType.Int64,
    "uint64": ua.VariantType.UInt64,
    "boolean": ua.VariantType.Boolean,
    "setpoint": ua.VariantType.Double,
    "whole": ua.VariantType.Int16,
}
FLOATING = (ua.VariantType.Double, ua.VariantType.Float)


def number(bits):
    return struct.unpack(">d", int(bits, 16).to_bytes(8, "big"))[0]


def bits(value):
    return "0x%016x" % int.from_bytes(struct.pack(">d", float(value)), "big")


def say(what):
    print(json.dumps(what), flush=True)


def convert(name, value):
    kind = TYPES[name]
    if kind in FLOATING:
        return value
    return value != 0 if kind == ua.VariantType.Boolean else int(value)


def certificate(folder):
    """Our certificate and key, with the URI first among its names."""
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = folder / "cert.der", folder / "key.pem"
    if not cert.is_file():
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "asyncua test server")])
        now = datetime.now(timezone.utc)
        names = x509.SubjectAlternativeName(
            [x509.UniformResourceIdentifier(URI), x509.DNSName("127.0.0.1"), x509.DNSName("localhost")]
        )
        usage = x509.KeyUsage(True, True, True, True, False, True, False, False, False)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(names, False)
            .add_extension(usage, False)
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.BasicConstraints(False, None), True)
            .sign(private, hashes.SHA256())
        )
        key.write_bytes(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        cert.write_bytes(made.public_bytes(serialization.Encoding.DER))
    return cert, key


class Users(UserManager):
    """Anybody who is anonymous, and ann with her password."""

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username is None or (username, password) == ("ann", "secret"):
            return User(role=UserRole.User)
        return None


class Peer:
    def __init__(self, port, folder):
        self.port, self.folder = port, Path(folder)
        self.nodes, self.last = {}, datetime(1970, 1, 1, tzinfo=timezone.utc)
        self.skew, self.lies, self.guards = timedelta(), None, []

    def now(self):
        """No two values of one time: the times of samples tell them apart. The clock may be wrong."""
        self.last = max(datetime.now(timezone.utc) + self.skew, self.last + timedelta(microseconds=1))
        return self.last

    async def start(self):
        self.server = Server(user_manager=Users())
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}")
        await self.server.set_application_uri(URI)
        cert, key = certificate(self.folder)
        await self.server.load_certificate(str(cert))
        await self.server.load_private_key(str(key))
        policies = [ua.SecurityPolicyType.NoSecurity]
        for name in ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"):
            policies += [getattr(ua.SecurityPolicyType, f"{name}_{mode}") for mode in ("Sign", "SignAndEncrypt")]
        self.server.set_security_policy(policies, SimpleRoleRuleset())
        space = await self.server.register_namespace(URI)
        pump = await self.server.nodes.objects.add_object(ua.NodeId("pump-1", space), "pump-1")
        for name, kind in TYPES.items():
            node = ua.NodeId(f"pump-1.{name}", space)
            variable = await pump.add_variable(node, name, ua.Variant(convert(name, 0.0), kind))
            self.nodes[name] = variable
        text = ua.NodeId("pump-1.text", space)
        self.nodes["text"] = await pump.add_variable(text, "text", ua.Variant("idle", ua.VariantType.String))
        curve = ua.Variant([1.0, 2.0], ua.VariantType.Double)
        await pump.add_variable(ua.NodeId("pump-1.curve", space), "curve", curve)
        for name in ("setpoint", "whole"):
            await self.nodes[name].set_writable()
        argument = ua.Argument(Name="speed", DataType=ua.NodeId(ua.ObjectIds.Double), ValueRank=-1)
        method = ua.NodeId("pump-1.setSpeed", space)
        await pump.add_method(method, "setSpeed", self.set_speed, [argument], [])
        await self.server.start()

    async def set_speed(self, parent, speed):
        if speed.Value < 0:
            return ua.StatusCode(ua.StatusCodes.BadOutOfRange)
        say({"said": "called", "bits": bits(speed.Value)})
        return []

    async def put(self, name, value, status=0):
        variant = ua.Variant(convert(name, value), TYPES[name])
        data = ua.DataValue(variant, ua.StatusCode(status), SourceTimestamp=self.now())
        await self.nodes[name].write_value(data)

    async def do(self, order):
        deed = order["do"]
        if deed == "set":
            await self.put(order["name"], number(order["bits"]), order.get("status", 0))
        elif deed == "count":
            for value in range(order["from"], order["to"]):
                await self.put(order["name"], float(value))
                await asyncio.sleep(order["period_ms"] / 1000)
        elif deed == "held":
            value = await self.nodes[order["name"]].read_value()
            return say({"said": "held", "bits": bits(value)})
        elif deed == "lie":
            self.lie(order)
        elif deed == "skew":
            self.skew, self.last = timedelta(seconds=order["seconds"]), datetime(1970, 1, 1, tzinfo=timezone.utc)
        elif deed == "flood":
            await self.flood(order["name"], order["count"], order["beside"])
        elif deed == "guard":
            self.guards.append(asyncio.create_task(self.guard(order["name"], order["patience_ms"] / 1000)))
        say({"said": deed})

    async def flood(self, name, count, beside):
        """As many values as it can make; another node has a new one with every hundredth."""
        for value in range(1, count + 1):
            await self.put(name, float(value))
            if value % 100 == 0:
                await self.put(beside, float(value // 100))
                # Subscriptions and other clients have their turn.
                await asyncio.sleep(0)

    async def guard(self, name, patience_s):
        """A dead-man: once the node has changed and then stays the same for too long, the setpoint goes to 0."""
        last, since = await self.nodes[name].read_value(), None
        while True:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            value = await self.nodes[name].read_value()
            if value != last:
                last, since = value, now
            elif since is not None and now - since > patience_s:
                await self.put("setpoint", 0.0)
                return say({"said": "failed", "bits": bits(last)})

    def lie(self, lies):
        """What subscriptions and items are told from now on; without any lies, the truth."""
        from asyncua.server.subscription_service import SubscriptionService

        if self.lies is None:
            create, watch = SubscriptionService.create_subscription, SubscriptionService.create_monitored_items

            async def create_lying(service, *args, **more):
                # What the server itself goes by stays true.
                made = copy.copy(await create(service, *args, **more))
                made.RevisedPublishingInterval = float(self.lies.get("publishing", made.RevisedPublishingInterval))
                made.RevisedMaxKeepAliveCount = self.lies.get("keep_alive", made.RevisedMaxKeepAliveCount)
                made.RevisedLifetimeCount = self.lies.get("lifetime", made.RevisedLifetimeCount)
                return made

            async def watch_lying(service, *args, **more):
                made = await watch(service, *args, **more)
                for item in made:
                    item.RevisedSamplingInterval = float(self.lies.get("sampling", item.RevisedSamplingInterval))
                return made

            SubscriptionService.create_subscription = create_lying
            SubscriptionService.create_monitored_items = watch_lying
        self.lies = lies


async def main():
    peer = Peer(int(sys.argv[1]), sys.argv[2])
    await peer.start()
    say({"said": "ready"})
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await peer.do(json.loads(line))


if __name__ == "__main__":
    asyncio.run(main())
