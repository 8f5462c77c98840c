//! AXI4-Lite to a register port: one access at a time, each answered once.
//!
//! Towards AXI the five channels without protection bits; towards registers `addr_o`, `read_o`, `write_o` and `wdata_o`, with
//! `rdata_i`, `keep_i` and `error_i` for the addressed word in the same cycle. Every output towards AXI comes from a flip-flop,
//! or is the inverse of one.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// The slave for addresses of so many bits.
pub fn axi_lite(address_bits: i64) -> Rc<Unit> {
    let m = Module::new("axi_lite");
    m.doc(
        "AXI4-Lite to a register port, one access at a time. A write first merges its bytes into the word as it reads, so \
         that bytes without a strobe keep their value, and takes effect one cycle later. Accesses for which error_i is \
         set are answered with SLVERR.",
    );
    let aw = m.param("ADDR_W", address_bits, 3..=32, "bits of a byte address");
    let word_w = &aw - 2;
    let ck = m.clock();
    let flag = |name: &str| ck.reg(name, bit()).reset_to(0);
    let channel = |name: &str| (m.input(&format!("{name}valid_i"), bit()), flag(&format!("{name}_held_q")));
    let address = |name: &str| {
        let port = m.input(&format!("{name}addr_i"), uint(&aw));
        m.allow(&port, "UNUSEDSIGNAL", "the two lowest bits address bytes");
        (port.slice(2, &word_w), ck.reg(&format!("{name}_word_q"), uint(&word_w)))
    };

    let (awvalid, aw_held) = channel("aw");
    let (awaddr, aw_word) = address("aw");
    let (wvalid, w_held) = channel("w");
    let (wdata, wstrb) = (m.input("wdata_i", uint(32)), m.input("wstrb_i", uint(4)));
    let bready = m.input("bready_i", bit());
    let (arvalid, ar_held) = channel("ar");
    let (araddr, ar_word) = address("ar");
    let rready = m.input("rready_i", bit());
    let rdata = m.input("rdata_i", uint(32));
    m.describe(&rdata, "the addressed word");
    let keep = m.input("keep_i", uint(32));
    m.describe(&keep, "bits of it that a write without their strobe writes as they read; the others get zero");
    let error = m.input("error_i", bit());
    m.describe(&error, "there is no such word");

    m.comment("One access at a time; a write takes two cycles, and a waiting read goes between two writes");
    let (merged, bvalid, rvalid) = (flag("merged_q"), flag("bvalid_q"), flag("rvalid_q"));
    m.describe(&merged, "the bytes to keep are in w_data_q");
    let writes = m.wire("writes", &(&*aw_held & &*w_held & !&*bvalid));
    let write = m.wire("write", &(&writes & &*merged));
    let read = m.wire("read", &(&*ar_held & !&*rvalid & !&writes));
    merged.next(&writes & !&*merged);

    m.comment("Requests wait for their access");
    aw_held.next(aw_held.select(!&write, &awvalid));
    ar_held.next(ar_held.select(!&read, &arvalid));
    w_held.next(w_held.select(!&write, &wvalid));
    aw_word.next_when(&!&*aw_held, &awaddr);
    ar_word.next_when(&!&*ar_held, &araddr);
    let strobes = ck.reg("w_strb_q", uint(4));
    strobes.next_when(&!&*w_held, &wstrb);
    let data = ck.reg("w_data_q", uint(32));
    let lanes: Vec<_> = (0..4).rev().map(|n| strobes.bit(n).repeat(8)).collect();
    let mask = m.wire("mask", &concat(&lanes.iter().collect::<Vec<_>>()));
    let kept = m.wire("kept", &((&*data & &mask) | (&rdata & &keep & !&mask)));
    data.next_when(&(!&*w_held | (&writes & !&*merged)), w_held.select(&kept, &wdata));

    m.comment("Responses wait until they are taken");
    let (berror, rerror) = (ck.reg("berror_q", bit()), ck.reg("rerror_q", bit()));
    let rdata_q = ck.reg("rdata_q", uint(32));
    bvalid.next(&write | (&*bvalid & !&bready));
    berror.next_when(&write, &error);
    rvalid.next(&read | (&*rvalid & !&rready));
    rerror.next_when(&read, &error);
    rdata_q.next_when(&read, &rdata);

    let none = lit(0, bit());
    m.output("awready_o", &!&*aw_held);
    m.output("wready_o", &!&*w_held);
    m.output("bvalid_o", &bvalid);
    m.output("bresp_o", &concat(&[&*berror, &none]));
    m.output("arready_o", &!&*ar_held);
    m.output("rvalid_o", &rvalid);
    m.output("rdata_o", &rdata_q);
    m.output("rresp_o", &concat(&[&*rerror, &none]));
    m.output("addr_o", &concat(&[&writes.select(&*aw_word, &*ar_word), &lit(0, uint(2))]));
    m.output("read_o", &read);
    m.output("write_o", &(&write & strobes.any()));
    m.output("wdata_o", &data);
    m.finish()
}

/// Cost: two addresses, the word to write, the word read, and what moves them.
pub fn cost(address_bits: i64, _: Family) -> Cost {
    let words = 2.0 * (address_bits as f64 - 2.0);
    Cost::logic(32.0 + words / 2.0 + 18.0, words + 64.0 + 12.0)
}
