// The cart: what a customer is about to order.
#pragma once

#include <degu/store/database.h>
#include <shop/proto/catalog.degu.h>
#include <shop/proto/order.degu.h>

#include <memory>

namespace shop::order {

/// CartService over the table `cart_items`; names and prices are the catalogue's of the moment. At most 100
/// lines a cart.
std::shared_ptr<v1::CartService> make_cart_service(std::shared_ptr<degu::store::Database> database,
                                                   std::shared_ptr<catalog::v1::CatalogService> catalog);

}  // namespace shop::order
