//! Make-believe carts: the new version rounds otherwise, and so is a cent off where a cart has several items.
//!
//! A cart is all in its number, so that every version knows the same ones. Its time and its id are another one in each answer.

use std::time::SystemTime;

use serde_json::{Value, json};

/// How many there are.
pub const CARTS: u32 = 200;
/// A cart that the versions do not agree about.
pub const ODD: u32 = 8;

/// Percent of the price that are paid.
const PAID: u64 = 85;
const GOODS: [(&str, u64); 5] =
    [("tea", 499), ("mug", 1290), ("kettle", 3499), ("honey", 725), ("spoon", 261)];

/// The cart that a path names by the number at its end, as a version answers it.
pub fn answer(version: &str, path: &str) -> Value {
    let digits = path.rfind(|c: char| !c.is_ascii_digit()).map_or(path, |at| &path[at + 1..]);
    let number = digits.parse::<u32>().unwrap_or(1);
    let items = items(number);
    let total = total(version, &items);
    let shown = items.iter().map(
        |(name, price, quantity)| json!({"name": name, "price": *price as f64 / 100.0, "quantity": quantity}),
    );
    json!({
        "cart": number,
        "items": shown.collect::<Vec<_>>(),
        "total": total as f64 / 100.0,
        "generated_at": humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
        "request_id": format!("r-{:08}", rand::random_range(0..100_000_000)),
    })
}

/// Name, price in cents, quantity.
fn items(number: u32) -> Vec<(&'static str, u64, u64)> {
    let number = number as usize;
    // Every fourth cart has more than one item.
    let count = if number.is_multiple_of(4) { 2 + number / 4 % 2 } else { 1 };
    let item = |index: usize| {
        let (name, price) = GOODS[(number + index * 3) % GOODS.len()];
        (name, price, 1 + ((number / 5 + index) % 3) as u64)
    };
    (0..count).map(item).collect()
}

/// In cents. The stable version rounds once, the new one each item.
fn total(version: &str, items: &[(&str, u64, u64)]) -> u64 {
    let paid = |cents: u64| (cents * PAID + 50) / 100;
    let prices = items.iter().map(|(_, price, quantity)| price * quantity);
    if version == "stable" { paid(prices.sum()) } else { prices.map(paid).sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_disagree_about_some_carts_by_a_cent() {
        let differs = |number: u32| {
            let items = items(number);
            let (stable, canary) = (total("stable", &items), total("canary", &items));
            assert!(stable.abs_diff(canary) <= 1, "{number}");
            stable != canary
        };
        let count = (1..=CARTS).filter(|number| differs(*number)).count();
        assert!((10..50).contains(&count), "{count} of {CARTS}");
        assert!(differs(ODD));
    }

    #[test]
    fn a_path_names_a_cart_and_all_else_is_noise() {
        let told = |path: &str| {
            let mut cart = answer("stable", path);
            for noise in ["generated_at", "request_id"] {
                assert!(cart[noise].take().is_string(), "{noise}");
            }
            cart
        };
        assert_eq!(told("/checkout/carts/17")["cart"], 17);
        assert_eq!(told("/checkout/carts/17"), told("/17"));
        assert_eq!(told("/checkout")["cart"], 1);
    }
}
