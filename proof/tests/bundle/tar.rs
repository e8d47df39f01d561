//! A tar writer and reader for tests, by the table of `docs/bundle.md` and not from the code under test.

pub(crate) type Members = Vec<(String, Vec<u8>)>;

fn header(name: &str, length: usize) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{length:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    put(329, "0000000");
    put(337, "0000000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

pub(crate) fn pack(members: &Members) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in members {
        bytes.extend(header(name, content.len()));
        bytes.extend(content);
        bytes.resize(bytes.len().div_ceil(512) * 512, 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

pub(crate) fn unpack(bytes: &[u8]) -> Members {
    let (mut members, mut at) = (Vec::new(), 0);
    while bytes[at] != 0 {
        let name = bytes[at..at + 100].split(|byte| *byte == 0).next().unwrap();
        let length = std::str::from_utf8(&bytes[at + 124..at + 135]).unwrap();
        let length = usize::from_str_radix(length, 8).unwrap();
        let content = bytes[at + 512..at + 512 + length].to_vec();
        members.push((String::from_utf8(name.to_vec()).unwrap(), content));
        at += 512 + length.div_ceil(512) * 512;
    }
    members
}
