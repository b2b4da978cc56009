"""Language models behind an endpoint, or in this process, as labelling and judging ask them."""
