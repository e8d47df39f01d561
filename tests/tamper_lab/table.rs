//! The laboratory and the page say the same, row by row and cell by cell.

use std::fs;
use std::path::Path;

use crate::attack::Attack;
use crate::house::House;
use crate::{cosigning, files, history, indexes, keys, split};

/// Every attack, carried out.
fn carried_out(house: &House) -> Vec<Attack> {
    let mut all = history::attacks(house);
    all.extend(split::attacks(house));
    all.extend(keys::attacks(house));
    all.extend(cosigning::attacks(house));
    all.extend(files::attacks(house));
    all.extend(indexes::attacks(house));
    all
}

/// The rows of the page's tables: the name of the attack and what stands behind it.
fn rows(page: &str, title: &str) -> Vec<Vec<String>> {
    let (_, section) = page.split_once(&format!("\n## {title}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn printed(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect()
}

#[test]
fn every_attack_is_answered_as_the_page_says() {
    let house = House::new();
    let policy = house.policy();
    let (mut said_by_verify, mut said_by_others) = (Vec::new(), Vec::new());
    for attack in carried_out(&house) {
        let said = attack.ask(&policy);
        let row = |cells: &[String]| [&[attack.name.to_owned()], cells].concat();
        said_by_verify.push(row(&said[..4]));
        said_by_others.push(row(&said[4..]));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tamper.md");
    let page = fs::read_to_string(path).unwrap();
    for (title, found) in
        [("What verify says", said_by_verify), ("What opening, signing and replay say", said_by_others)]
    {
        let (page, found) = (printed(&rows(&page, title)), printed(&found));
        assert!(page == found, "{title}: the page has\n{page}\nand the laboratory finds\n{found}");
    }
}
