//! TLS logs of Network Firewall.

use super::alert::HOSTS;
use super::estate::Address;
use super::far::Place;
use super::text::{hexadecimal, integer, pick, timestamp};
use super::traffic::client_port;
use super::{Generator, RowKind};

impl Generator {
    pub(super) fn firewall_tls(&mut self, out: &mut Vec<u8>) -> RowKind {
        let now = self.firewall_now();
        self.next_burst();
        let random = &mut self.random;
        let world = self.world;
        let far_index =
            world.far_where(world.by_far.draw(random), |far| far.place == Place::Public);
        let ephemeral = client_port(random);
        let near = world.interface(self.burst.interface);
        let host = pick(&HOSTS, random.below(10), "api.example.com").as_bytes();
        let kind = random.below(10);
        let fingerprint = [random.next(), random.next(), u64::from(far_index)];
        self.firewall_head(out, near.zone_index);
        integer(out, now.seconds);
        out.extend_from_slice(b",\"event\":{\"src_ip\":\"");
        out.extend_from_slice(near.v4.as_bytes());
        out.extend_from_slice(b"\",\"src_port\":\"");
        integer(out, u64::from(ephemeral));
        out.extend_from_slice(b"\",");
        match kind {
            0..=3 => {
                out.extend_from_slice(b"\"revocation_check\":{\"leaf_cert_fpr\":\"");
                for part in fingerprint {
                    hexadecimal(out, part, 16);
                }
                out.extend_from_slice(match kind {
                    0 | 1 => b"\",\"status\":\"REVOKED\",\"action\":\"DROP\"},",
                    2 => b"\",\"status\":\"UNKNOWN\",\"action\":\"PASS\"},",
                    _ => b"\",\"status\":\"REVOKED\",\"action\":\"REJECT\"},".as_slice(),
                });
            }
            4..=7 => {
                out.extend_from_slice(b"\"tls_error\":{\"error_message\":\"SNI: ");
                out.extend_from_slice(host);
                out.extend_from_slice(
                    b" Match Failed to server certificate names: *.example.edu\"},",
                );
            }
            _ => out.extend_from_slice(
                b"\"tls_error\":{\"error_message\":\"TLS handshake failed: certificate has expired\"},",
            ),
        }
        out.extend_from_slice(b"\"dest_ip\":\"");
        out.extend_from_slice(world.address(Address::Far(far_index)));
        out.extend_from_slice(b"\",\"dest_port\":\"443\",\"timestamp\":\"");
        timestamp(out, now, b"Z");
        out.extend_from_slice(b"\",\"sni\":\"");
        out.extend_from_slice(host);
        out.extend_from_slice(b"\"}}");
        RowKind::Flow
    }
}
