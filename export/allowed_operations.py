"""The operations that a foreign model may hold: what computing a network needs, and no more.

All others are refused, those of future versions among them. Of TensorFlow's: what the exports of
this package, the layers of Keras and `tf.image` consist of, each family as a whole. None of them
opens a file, reaches another process, or calls Python: they are given numbers and texts in memory.
A test walks over all of TensorFlow's operations and looks at what these may be told by a text.
"""

# Gradients, optimizers, sparse matrices and the like are left out: a finished network has none.
TENSORFLOW_GROUPS: dict[str, str] = {
    "numbers, one by one": """
        Abs Acos Acosh Add AddN AddV2 Angle ApproximateEqual Asin Asinh Atan Atan2 Atanh BesselI0
        BesselI0e BesselI1 BesselI1e Betainc Bitcast BitwiseAnd BitwiseOr BitwiseXor Cast Ceil
        ClipByValue Complex ComplexAbs Conj Cos Cosh Digamma Div DivNoNan Equal Erf Erfc Erfinv Exp
        Expint Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Igamma Igammac Imag Inv Invert
        IsFinite IsInf IsNan LeftShift Less LessEqual Lgamma Log Log1p LogicalAnd LogicalNot
        LogicalOr Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual Polygamma
        PopulationCount Pow Real RealDiv Reciprocal RightShift Rint Round Rsqrt Sign Sin Sinh Sqrt
        Square SquaredDifference Sub Tan TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta""",
    "activations": """
        Elu LeakyRelu LogSoftmax Relu Relu6 Selu Sigmoid Softmax Softplus Softsign Tanh""",
    "sums and the like": """
        All Any ApproxTopK ArgMax ArgMin Bincount Bucketize Cumprod Cumsum CumulativeLogsumexp
        DenseBincount EuclideanNorm HistogramFixedWidth InTopK InTopKV2 L2Loss LowerBound Max Mean
        Min NthElement Prod SegmentMax SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2 SegmentProd
        SegmentProdV2 SegmentSum SegmentSumV2 Sum TopK TopKV2 Unique UniqueV2 UniqueWithCounts
        UniqueWithCountsV2 UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
        UnsortedSegmentSum UpperBound""",
    "matrices": """
        BandedTriangularSolve BatchMatMul BatchMatMulV2 BatchMatMulV3 Cholesky Cross Diag DiagPart
        Eig Einsum LogMatrixDeterminant Lu MatMul MatrixBandPart MatrixDeterminant MatrixDiag
        MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3
        MatrixExponential MatrixInverse MatrixLogarithm MatrixSetDiag MatrixSetDiagV2
        MatrixSetDiagV3 MatrixSolve MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve Qr
        SelfAdjointEig SelfAdjointEigV2 SparseMatMul Svd TridiagonalMatMul TridiagonalSolve""",
    "convolutions, pooling, normalisation": """
        AvgPool AvgPool3D BiasAdd BiasAddV1 Conv Conv2D Conv2DBackpropInput Conv2DBackpropInputV2
        Conv3D Conv3DBackpropInput Conv3DBackpropInputV2 DataFormatDimMap DataFormatVecPermute
        DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput Dilation2D FractionalAvgPool
        FractionalMaxPool FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 LRN MaxPool MaxPool3D
        MaxPoolV2 MaxPoolWithArgmax""",
    "recurrent layers": """
        BlockLSTM BlockLSTMV2 CudnnRNN CudnnRNNV2 CudnnRNNV3 GRUBlockCell LSTMBlockCell""",
    "rounding to integers and back": """
        Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
        FakeQuantWithMinMaxVarsPerChannel QuantizeAndDequantize QuantizeAndDequantizeV2
        QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 UniformDequantize UniformQuantize
        UniformQuantizedAdd UniformQuantizedClipByValue UniformQuantizedConvolution
        UniformQuantizedConvolutionHybrid UniformQuantizedDot UniformQuantizedDotHybrid
        UniformRequantize""",
    "shapes, and which numbers": """
        BatchToSpace BatchToSpaceND BroadcastArgs BroadcastTo Concat ConcatOffset ConcatV2
        ConjugateTranspose Const DepthToSpace DynamicPartition DynamicStitch Empty EnsureShape
        ExpandDims ExtractImagePatches ExtractVolumePatches Fill Gather GatherNd GatherV2 Identity
        IdentityN InvertPermutation LinSpace ListDiff MirrorPad OneHot OnesLike Pack Pad PadV2
        ParallelConcat ParallelDynamicStitch Placeholder PlaceholderV2 PlaceholderWithDefault
        PreventGradient Range Rank Reshape Reverse ReverseSequence ReverseV2 Roll ScatterNd
        ScatterNdNonAliasingAdd Select SelectV2 Shape ShapeN Size Slice SpaceToBatch SpaceToBatchND
        SpaceToDepth SparseToDense Split SplitV Squeeze StopGradient StridedSlice TensorScatterAdd
        TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
        TensorStridedSliceUpdate Tile Transpose Unpack UnravelIndex Where ZerosLike""",
    "pictures": """
        AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression
        CropAndResize DrawBoundingBoxes DrawBoundingBoxesV2 GenerateBoundingBoxProposals HSVToRGB
        ImageProjectiveTransformV2 ImageProjectiveTransformV3 NonMaxSuppression NonMaxSuppressionV2
        NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps
        RGBToHSV ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor
        SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 ScaleAndTranslate
        StatelessSampleDistortedBoundingBox""",
    "image files that are in memory": """
        DecodeAndCropJpeg DecodeBase64 DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePaddedRaw
        DecodePng DecodeRaw DecodeWebP EncodeJpeg EncodeJpegVariableQuality EncodePng
        ExtractJpegShape ParseExample ParseExampleV2 ParseSingleExample""",
    "signals": """
        AudioSpectrogram FFT FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D
        IRFFTND Mfcc RFFT RFFT2D RFFT3D RFFTND CTCBeamSearchDecoder CTCGreedyDecoder""",
    "random numbers": """
        Multinomial ParameterizedTruncatedNormal RandomGamma RandomIndexShuffle RandomPoisson
        RandomPoissonV2 RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt
        RngReadAndSkip RngSkip StatefulRandomBinomial StatefulStandardNormal
        StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform
        StatefulUniformFullInt StatefulUniformInt StatelessMultinomial
        StatelessParameterizedTruncatedNormal StatelessRandomBinomial
        StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomGetAlg
        StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal
        StatelessRandomNormalV2 StatelessRandomPoisson StatelessRandomUniform
        StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
        StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle
        StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal""",
    "branches, loops, functions of the same file": """
        Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile
        While""",
    "checks while it runs": "Assert CheckNumerics CheckNumericsV2 NoOp",
    "lists of tensors, as loops keep them": """
        EmptyTensorList TensorListConcat TensorListConcatLists TensorListConcatV2
        TensorListElementShape TensorListFromTensor TensorListGather TensorListGetItem
        TensorListLength TensorListPopBack TensorListPushBack TensorListPushBackBatch
        TensorListReserve TensorListResize TensorListScatter TensorListScatterIntoExistingList
        TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack""",
    "variables": """
        AssignAddVariableOp AssignSubVariableOp AssignVariableOp DestroyResourceOp DisableCopyOnRead
        ReadVariableOp ResourceGather ResourceGatherNd ResourceScatterAdd ResourceScatterUpdate
        VarHandleOp VarIsInitializedOp VariableShape""",
    "tables whose entries are in the graph": """
        AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable
        AnonymousMutableHashTableOfTensors HashTableV2 InitializeTableV2 LookupTableExportV2
        LookupTableFindV2 LookupTableImportV2 LookupTableInsertV2 LookupTableRemoveV2
        LookupTableSizeV2 MutableDenseHashTableV2 MutableHashTableOfTensorsV2
        MutableHashTableV2""",
    "rows of several lengths": """
        RaggedBincount RaggedFillEmptyRows RaggedGather RaggedRange
        RaggedTensorToSparse RaggedTensorToTensor""",
    "texts": """
        AsString ReduceJoin RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace
        StringFormat StringJoin StringLength StringLower StringNGrams StringSplit StringSplitV2
        StringStrip StringToHashBucketFast StringToHashBucketStrong StringToNumber StringUpper
        Substr UnsortedSegmentJoin""",
}
TENSORFLOW = frozenset(name for names in TENSORFLOW_GROUPS.values() for name in names.split())

# TensorFlow 2 writes two functions into every SavedModel that save and restore its variables, for
# other loaders: it never calls them itself. Only there may these be.
TENSORFLOW_SAVER = frozenset({"MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"})

# ONNX's own operators are known by its package. Of onnxruntime's, those that its quantisation and
# its optimizer leave in a file.
_ONNXRUNTIME = """
    Attention BiasGelu DequantizeLinear DynamicQuantizeLSTM DynamicQuantizeMatMul FastGelu FusedConv
    FusedGemm FusedMatMul Gelu MatMulIntegerToFloat NhwcMaxPool QAttention QGemm QLinearAdd
    QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu
    QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QuantizeLinear QuickGelu
    SkipLayerNormalization"""
ONNXRUNTIME = frozenset(_ONNXRUNTIME.split())
