# shop_embed(target FUNCTION name ROOT dir FILES file ...): degu_embed into namespace shop.
include(Embed)

function(shop_embed target)
  degu_embed(${target} NAMESPACE shop HEADER shop/embedded.h ${ARGN})
endfunction()
