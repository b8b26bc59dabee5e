"""What each kind of layer costs, by hand and by the operations that it calls."""

import keras
import pytest
from keras import layers

import a2keras
from a2keras import counting_layers

pytestmark = pytest.mark.usefixtures("zero_weights")
IMAGE = (13, 17, 3)
LSTM = 4 * 5 * (3 + 5)  # four gates of 5 units, from 3 inputs and 5 units
REFUSED = {
    "Layer": "no kind at all",
    "Wrapper": "what a wrapper does with its layer is its own",
    "Lambda": "any code",
    "FlaxLayer": "any code",
    "JaxLayer": "any code",
    "TFSMLayer": "any code",
    "TorchModuleWrapper": "any code",
    "STFTSpectrogram": "a Fourier transform",
    "MelSpectrogram": "a Fourier transform",
}


def sequential(shape, *stack):
    return keras.Sequential([keras.Input(shape), *stack])


def image(layer, shape=IMAGE):
    return pytest.param(layer, shape, id=type(layer).__name__)


@pytest.mark.parametrize(
    ("layer", "shape", "multiply_adds"),
    [
        (layers.Conv1D(5, 3, padding="causal"), (13, 3), 13 * 3 * 3 * 5),
        (layers.Conv2D(5, 3, dilation_rate=2), IMAGE, 9 * 13 * 9 * 3 * 5),
        (layers.Conv2D(5, 3, data_format="channels_first"), (3, 13, 17), 11 * 15 * 9 * 3 * 5),
        (layers.Conv3D(6, (3, 1, 2), groups=3), (7, 13, 17, 9), 5 * 13 * 16 * 6 * 3 * 6),
        (layers.Conv1DTranspose(5, 2, strides=2), (13, 3), 13 * 2 * 3 * 5),
        (layers.Conv3DTranspose(5, (3, 1, 2), strides=2), (2, 3, 7, 11), 42 * 6 * 11 * 5),
        (layers.DepthwiseConv1D(3, depth_multiplier=2), (13, 5), 11 * 3 * 5 * 2),
        (layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2), IMAGE, 6 * 8 * 9 * 3 * 2),
        (layers.SeparableConv1D(5, 3, depth_multiplier=2), (13, 7), 11 * (3 * 7 * 2 + 14 * 5)),
        (layers.EinsumDense("btd,dhk->bthk", (None, 2, 5)), (13, 3), 13 * 3 * 2 * 5),
        (layers.EinsumDense("...d,de->...e", 5), IMAGE, 13 * 17 * 3 * 5),
        (layers.EinsumDense("btd,d->btd", (None, 3)), (13, 3), 0),
        (layers.LSTM(5), (13, 3), 13 * LSTM),
        (layers.LSTM(5, return_sequences=True, return_state=True), (13, 3), 13 * LSTM),
        (layers.GRU(5), (13, 3), 13 * 3 * 5 * (3 + 5)),
        (layers.SimpleRNN(5), (13, 3), 13 * 5 * (3 + 5)),
        (layers.RNN([layers.LSTMCell(5), layers.GRUCell(7)]), (13, 3), 13 * (LSTM + 21 * 12)),
        (layers.Bidirectional(layers.LSTM(5)), (13, 3), 2 * 13 * LSTM),
        (layers.ConvLSTM1D(5, 3), (7, 13, 3), 7 * 11 * 3 * (3 + 5) * 20),
        (
            layers.ConvLSTM2D(5, 3, strides=2, return_sequences=True),
            (7, *IMAGE),
            7 * 6 * 8 * 9 * (3 + 5) * 20,
        ),
        (layers.TimeDistributed(layers.Dense(5)), (7, 13, 3), 7 * 13 * 3 * 5),
        (layers.TimeDistributed(layers.Conv2D(5, 3)), (7, *IMAGE), 7 * 11 * 15 * 27 * 5),
        (layers.TimeDistributed(layers.LSTM(5)), (7, 13, 3), 7 * 13 * LSTM),
        (layers.SpectralNormalization(layers.Conv2D(5, 3)), IMAGE, 11 * 15 * 27 * 5),
        (layers.Pipeline([layers.Dense(5), layers.Dense(7)]), (13, 3), 13 * (3 * 5 + 5 * 7)),
        (layers.ReversibleEmbedding(31, 5), (13,), 0),
    ],
    ids=lambda each: type(each).__name__,
)
def test_by_hand(layer, shape, multiply_adds):
    counted = a2keras.count(sequential(shape, layer))
    assert counted.multiply_adds == counted.planned_multiply_adds == multiply_adds


def products(queries, keys, scored, values):
    return queries * keys * (scored + values)


@pytest.mark.parametrize(
    ("layer", "arguments", "multiply_adds"),
    [
        (layers.Dot(axes=(2, 1)), [(7, 5), (5, 11)], 7 * 5 * 11),
        (layers.Dot(axes=-1, normalize=True), [(5,), (5,)], 5),
        (layers.Attention(), [(7, 5), (13, 3), (13, 5)], products(7, 13, 5, 3)),
        (layers.Attention(score_mode="concat"), [(7, 5), (13, 5)], products(7, 13, 0, 5)),
        (layers.AdditiveAttention(), [(7, 5), (13, 5)], products(7, 13, 5, 5)),
        (layers.AdditiveAttention(use_scale=False), [(7, 5), (13, 5)], products(7, 13, 0, 5)),
    ],
)
def test_layers_of_several_inputs(layer, arguments, multiply_adds):
    inputs = [keras.Input(shape) for shape in arguments]
    assert a2keras.count(keras.Model(inputs, layer(inputs))).multiply_adds == multiply_adds


def test_multi_head_attention():
    query, value, key = (keras.Input(shape) for shape in [(7, 5), (13, 3), (13, 11)])
    # 2 heads; queries and keys of 17 features, values of 19, outputs of 5
    projections = 2 * (7 * 5 * 17 + 13 * 11 * 17 + 13 * 3 * 19 + 7 * 19 * 5)
    attended = products(2 * 7, 13, 17, 19)
    plain = layers.MultiHeadAttention(2, 17, 19)(query, value, key)
    gated = layers.MultiHeadAttention(2, 17, 19, use_gate=True)(query, value=value, key=key)
    inputs = [query, value, key]
    assert a2keras.count(keras.Model(inputs, plain)).multiply_adds == projections + attended
    counted = a2keras.count(keras.Model(inputs, gated)).multiply_adds
    assert counted == projections + attended + 7 * 5 * 2 * 19


def test_multi_head_attention_along_one_axis():
    x = keras.Input((7, 11, 5))
    layer = layers.MultiHeadAttention(2, 17, attention_axes=(2,))
    counted = a2keras.count(keras.Model(x, layer(x, x)))
    assert counted.multiply_adds == 4 * 77 * 5 * 2 * 17 + 7 * products(2 * 11, 11, 17, 17)


def test_grouped_query_attention():
    query, value = keras.Input((7, 5)), keras.Input((13, 5))
    # 6 heads of queries and 2 of keys and values, of 17 features each
    layer = layers.GroupQueryAttention(17, 6, 2)
    projections = 2 * 7 * 5 * 6 * 17 + 2 * 13 * 5 * 2 * 17
    counted = a2keras.count(keras.Model([query, value], layer(query, value)))
    assert counted.multiply_adds == projections + products(6 * 7, 13, 17, 17)


def test_backwards_an_embedding_is_a_product():
    x = keras.Input((13, 5))
    layer = layers.ReversibleEmbedding(31, 5)
    assert a2keras.count(keras.Model(x, layer(x, reverse=True))).multiply_adds == 13 * 5 * 31


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        image(layers.Conv2D(5, 3, strides=2, padding="same")),
        image(layers.Conv2D(5, 3, data_format="channels_first"), (3, 13, 17)),
        image(layers.Conv3DTranspose(5, (3, 1, 2), strides=2), (2, 3, 7, 11)),
        image(layers.DepthwiseConv2D(3, depth_multiplier=2)),
        image(layers.SeparableConv2D(5, 3, depth_multiplier=2)),
        image(layers.Dense(5)),
        image(layers.EinsumDense("bhwd,dk->bhwk", (13, 17, 5))),
        image(layers.LayerNormalization()),
    ],
)
def test_a_layer_costs_what_its_operations_cost(layer, shape):
    """The second way: `call` on symbolic tensors gives the graph of its operations."""
    x = keras.Input(shape)
    whole = a2keras.count(keras.Model(x, layer(x)))
    parts = a2keras.count(keras.Model(x, layer.call(x)))
    assert whole.multiply_adds == parts.multiply_adds
    assert {each.kind for each in parts.by_layer}.isdisjoint({type(layer).__name__})


@pytest.mark.parametrize(
    "layer",
    [
        layers.MultiHeadAttention(2, 17, use_gate=True),
        layers.MultiHeadAttention(2, 17, 19, dropout=0.5),
        layers.GroupQueryAttention(17, 6, 2, use_gate=True),
        layers.GroupQueryAttention(17, 6, 2, dropout=0.5),
    ],
    ids=["fused", "explicit", "grouped_fused", "grouped_explicit"],
)
def test_attention_costs_what_its_operations_cost(layer):
    query, value = keras.Input((7, 5)), keras.Input((13, 5))
    whole = a2keras.count(keras.Model([query, value], layer(query, value)))
    parts = a2keras.count(keras.Model([query, value], layer.call(query, value)))
    assert whole.multiply_adds == parts.multiply_adds > 0


def test_the_cells_of_a_recurrent_network():
    class Cell(layers.Layer):
        state_size = output_size = 5

        def call(self, inputs, states):
            return states[0], states

        def multiply_adds(self, input_shape):
            return 7 * input_shape[-1]

    counted = a2keras.count(sequential((13, 3), layers.RNN(Cell())))
    assert counted.multiply_adds == 13 * 7 * 3
    stacked = layers.RNN([layers.SimpleRNNCell(11), Cell()])
    counted = a2keras.count(sequential((13, 3), stacked))
    assert counted.multiply_adds == 13 * (11 * (3 + 11) + 7 * 11)
    x, state = keras.Input((3,)), keras.Input((5,))
    one_step = keras.Model([x, state], layers.SimpleRNNCell(5)(x, [state])[0])
    assert a2keras.count(one_step).multiply_adds == 5 * (3 + 5)
    del Cell.multiply_adds
    with pytest.raises(ValueError, match="a call of kind Cell costs"):
        a2keras.count(sequential((13, 3), layers.RNN(Cell())))


def test_two_recurrent_layers_of_the_convnet_lstm():
    """`spec.md` §4: 37.518 G is 25 frames of a network of 1.4974 G, LSTM and dense at each."""
    stack = layers.LSTM(512, return_sequences=True), layers.TimeDistributed(layers.Dense(400))
    counted = a2keras.count(sequential((25, 1024), *stack)).multiply_adds
    assert counted == 25 * (4 * 512 * (1024 + 512) + 512 * 400)
    assert round(25 * 1.4974 + counted / 1e9, 2) == 37.52


def test_every_layer_of_keras_is_known_or_refused_with_a_reason():
    kinds = {each for each in vars(layers).values() if isinstance(each, type)}
    kinds = {each for each in kinds if issubclass(each, layers.Layer)}
    known = {*counting_layers._RULES, *counting_layers._WRAPPERS}
    assert {each.__name__ for each in kinds - known} == set(REFUSED)
    assert known <= kinds


@pytest.mark.parametrize("base", [layers.Activation, layers.Dense, layers.TimeDistributed])
def test_a_known_layer_with_a_call_of_its_own_is_unknown(base):
    class Same(base):
        pass

    class Other(base):
        def call(self, inputs):
            return super().call(inputs)

    argument = {layers.Activation: "relu", layers.Dense: 3}.get(base, layers.Dense(3))
    a2keras.count(sequential(IMAGE, Same(argument)))
    with pytest.raises(ValueError, match=r"a call of kind Other costs \(layer 'odd'\)"):
        a2keras.count(sequential(IMAGE, Other(argument, name="odd")))


def test_a_lambda_is_refused():
    with pytest.raises(ValueError, match=r"of kind Lambda costs \(layer 'code'\). Use a layer"):
        a2keras.count(sequential(IMAGE, layers.Lambda(lambda x: 2 * x, name="code")))
